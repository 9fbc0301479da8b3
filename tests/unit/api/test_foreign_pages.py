"""What strangers send to an API without authentication."""

import httpx
import pytest
from tests.api.answering import answering, answering_by

from zerog_api.auth.access import Verb
from zerog_api.edge.cors import Cors
from zerog_api.edge.handler import Edge, Handler, operation
from zerog_api.edge.metrics import Metrics
from zerog_api.edge.operations import Operation
from zerog_api.edge.pages import StaticHandler
from zerog_api.edge.routes import rules
from zerog_api.problems import Problem

HOST = {"Host": "localhost:8080"}


class Change(Handler):
    """A call that changes something."""

    path = "/change"
    done = 0

    async def authorize(self) -> None:
        pass

    @operation(Operation(id="change", tag="jobs", summary="", verb=Verb.CREATE))
    async def post(self) -> None:
        Change.done += 1
        self.reply({})


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:9"])
def test_a_page_of_another_origin_cannot_change_jobs(origin: str) -> None:
    headers = {**HOST, "Origin": origin, "Sec-Fetch-Site": "cross-site"}
    with pytest.raises(Problem) as refused:
        Cors().refuse_foreign_page(headers)
    assert refused.value.status == 403


def test_our_own_page_programs_and_origins_let_in_may_change_jobs() -> None:
    none = Cors()
    none.refuse_foreign_page(HOST)
    none.refuse_foreign_page({**HOST, "Origin": "http://localhost:8080"})
    ours = {**HOST, "Origin": "https://proxy.example", "Sec-Fetch-Site": "same-origin"}
    none.refuse_foreign_page(ours)
    Cors(["https://app.example"]).refuse_foreign_page({**HOST, "Origin": "https://app.example"})


async def test_without_a_gate_a_change_is_asked_where_it_comes_from() -> None:
    async with answering_by(Change) as client:
        answers = [
            await client.post("/change", headers={"Origin": "https://evil.example"}),
            await client.post("/change"),
        ]

    assert [answer.status_code for answer in answers] == [403, 200]
    assert Change.done == 1


def test_methods_that_clients_make_up_are_not_remembered() -> None:
    metrics = Metrics()
    for number in range(50):
        metrics.observe(f"MADEUP{number}", "none", 404, 0.001)
    assert len(metrics._known) == 1


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "MADEUP"])
async def test_another_method_is_told_which_there_are_and_its_body_is_read_away(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with answering_by(Change) as client:
        answers: list[httpx.Response] = [
            await client.request(method, "/change", json={"n": 1}) for _ in range(2)
        ]

    assert [answer.status_code for answer in answers] == [405, 405]
    assert answers[0].headers["Allow"] == "POST"
    assert not caplog.records


async def test_braces_in_a_path_are_an_ordinary_name() -> None:
    async with answering_by(StaticHandler) as client:
        assert (await client.get("/static/{}")).status_code == 404
        assert (await client.get("/static/icon.svg")).status_code == 200


async def test_an_api_that_stops_takes_no_more_changes() -> None:
    edge = Edge(Metrics(), 1000)
    async with answering(rules([Change, StaticHandler], "", edge=edge), edge) as client:
        edge.stopping.set()
        answers = [await client.post("/change"), await client.get("/static/icon.svg")]

    assert [answer.status_code for answer in answers] == [503, 200]
    assert answers[0].headers["Retry-After"]


async def test_a_page_differs_by_origin_and_encoding() -> None:
    origin = "https://app.example"
    async with answering_by(StaticHandler, cors=Cors([origin])) as client:
        answer = await client.get("/static/icon.svg", headers={"Origin": origin})

    assert set(answer.headers.get_list("Vary")) == {"Origin", "Accept-Encoding"}
