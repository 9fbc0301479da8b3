"""The gate: who gets in, how often, and what is written down of it."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from tests.api.answering import answering_by, answering_with
from tests.api.authority import GOOD, SLOW, Scripted, gate_of
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore

from zerog.model.documents import TypeDocument, write
from zerog.model.errors import ConfigError, DatastoreUnavailableError
from zerog_api.auth.access import Verb
from zerog_api.auth.choice import open_gate
from zerog_api.auth.gate import MAX_UNKNOWN_AT_ONCE, Gate, bearer_of
from zerog_api.edge.clients import Proxies
from zerog_api.edge.cors import Cors
from zerog_api.edge.handler import Handler, operation
from zerog_api.edge.hosts import is_local_only
from zerog_api.edge.limits import Buckets, InFlight
from zerog_api.edge.operations import Operation
from zerog_api.edge.sse import Streaming
from zerog_api.problems import Problem
from zerog_api.settings import ApiSettings

CREATE = Operation(id="create", tag="jobs", summary="", verb=Verb.CREATE, status=201)
READ = Operation(id="read", tag="jobs", summary="", verb=Verb.GET)


class Mail(Streaming):
    """A call in a queue."""

    path = "/in/{queue}"

    async def authorize(self, queue: str) -> None:
        await self.access.require(queue)

    @operation(CREATE)
    async def post(self, queue: str) -> None:
        self.access.note("uuid-1")
        self.reply({}, 201)

    @operation(READ)
    async def get(self, queue: str) -> None:
        self.reply({})


class Held(Mail):
    """A call that lasts until it may end."""

    path = "/held/{queue}"
    begun, may_end = asyncio.Event(), asyncio.Event()

    @operation(READ)
    async def get(self, queue: str) -> None:
        self.begun.set()
        await self.may_end.wait()
        self.reply({})

    @operation(CREATE)
    async def post(self, queue: str) -> None:
        raise DatastoreUnavailableError


class Stream(Mail):
    """A call that sends events until it may end."""

    path = "/stream/{queue}"

    @operation(READ)
    async def get(self, queue: str) -> None:
        await self.send(self._events())

    async def _events(self) -> AsyncGenerator[bytes, None]:
        yield b"event: first\n\n"
        await Held.may_end.wait()


class Forgetful(Streaming):
    """A call that says that its method asks, which it does not."""

    path = "/forgetful"

    async def authorize(self) -> None:
        pass

    @operation(READ)
    async def get(self) -> None:
        self.reply({"secret": 1})


class Silent(Streaming):
    """A call that says nothing of who may do it."""

    path = "/silent"
    done = 0

    @operation(CREATE)
    async def post(self) -> None:
        Silent.done += 1


class Probe(Handler):
    path = "/probe"
    is_probe = True

    @operation(Operation(id="probe", tag="system", summary="", verb=None))
    async def get(self) -> None:
        self.reply({})


HANDLERS = (Mail, Held, Stream, Forgetful, Silent)


def bearer(token: str | None = GOOD) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


async def create(
    client: httpx.AsyncClient, token: str | None = GOOD, path: str = "/in/mail"
) -> httpx.Response:
    return await client.post(path, headers=bearer(token))


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER  a.b-c_d~e+f/g=="])
def test_a_bearer_token_is_read(header: str) -> None:
    assert bearer_of(header)


@pytest.mark.parametrize(
    "header",
    [None, "", "Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "Bearer a b", "Bearer a,Bearer b",
     "Bearer ä", "abc"],
)  # fmt: skip
def test_any_other_header_is_401_with_a_challenge_and_without_its_text(header: str | None) -> None:
    with pytest.raises(Problem) as caught:
        bearer_of(header)

    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"].startswith('Bearer realm="zerog"')
    assert not header or header not in caught.value.detail


async def test_a_known_caller_with_the_right_gets_in() -> None:
    async with answering_by(*HANDLERS, gate=gate_of(Scripted())) as client:
        assert (await create(client)).status_code == 201


@pytest.mark.parametrize(("token", "queue", "status"), [
    (None, "mail", 401), ("bad", "mail", 401), (GOOD, "media", 403)])  # fmt: skip
async def test_nobody_else_does(token: str | None, queue: str, status: int) -> None:
    async with answering_by(*HANDLERS, gate=gate_of(Scripted())) as client:
        assert (await create(client, token, f"/in/{queue}")).status_code == status


@pytest.mark.parametrize("token", [GOOD, SLOW])
async def test_an_authority_that_is_away_is_503_and_never_open(token: str) -> None:
    authority = Scripted()
    authority.away = True

    async with answering_by(*HANDLERS, gate=gate_of(authority)) as client:
        answer = await create(client, token)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize("gate", [gate_of(Scripted()), None])
async def test_a_call_that_says_nothing_of_who_may_do_it_is_not_begun(gate: Gate | None) -> None:
    async with answering_by(*HANDLERS, gate=gate) as client:
        assert (await create(client, path="/silent")).status_code == 403

    assert Silent.done == 0


async def test_an_answer_that_nobody_asked_a_right_for_does_not_leave() -> None:
    async with answering_by(*HANDLERS, gate=gate_of(Scripted())) as client:
        answer = await client.get("/forgetful", headers=bearer())

    assert answer.status_code == 500
    assert "secret" not in answer.text


async def test_a_client_that_calls_too_often_is_told_when_to_come_back() -> None:
    gate = gate_of(Scripted(), rate=0.5, burst=2)
    async with answering_by(*HANDLERS, gate=gate) as client:
        answers = [await create(client) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 2


async def test_guessing_tokens_is_slowed_before_anybody_is_asked() -> None:
    authority = Scripted()
    async with answering_by(*HANDLERS, gate=gate_of(authority, rate=0.001, burst=5)) as client:
        answers = [await create(client, f"guess-{n}") for n in range(50)]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 45
    assert authority.asked == 5


async def test_a_good_token_that_nobody_knows_yet_is_no_guess() -> None:
    authority = Scripted()
    gate = Gate(authority, Buckets(0, 0), InFlight(0), Buckets(0.001, 1))

    async with answering_by(*HANDLERS, gate=gate) as client:
        for _ in range(20):
            assert (await create(client, SLOW)).status_code == 201

    assert authority.asked == 20


async def test_guesses_from_one_address_do_not_stop_known_callers_there() -> None:
    gate = gate_of(Scripted(), rate=0.001, burst=1)
    async with answering_by(*HANDLERS, gate=gate) as client:
        for number in range(5):
            await create(client, f"guess-{number}")

        assert (await create(client)).status_code == 201


async def test_guesses_do_not_lock_out_a_token_at_the_same_address_that_was_good() -> None:
    authority = Scripted()
    gate = Gate(authority, Buckets(0, 0), InFlight(0), Buckets(0.001, 3))

    async with answering_by(*HANDLERS, gate=gate) as client:
        assert (await create(client, SLOW)).status_code == 201
        answers = [await create(client, f"guess-{number}") for number in range(20)]
        assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 17
        for _ in range(20):
            assert (await create(client, SLOW)).status_code == 201
        authority.ended = True
        assert (await create(client, SLOW)).status_code == 401
        assert (await create(client, SLOW)).status_code == 429


async def test_unknown_tokens_leave_room_for_the_questions_of_callers() -> None:
    authority = Scripted()
    authority.answers = asyncio.Event()
    gate = gate_of(authority)

    async with answering_by(*HANDLERS, gate=gate) as client:
        guesses = [asyncio.create_task(create(client, f"guess-{n}")) for n in range(50)]
        while authority.asked < MAX_UNKNOWN_AT_ONCE:
            await asyncio.sleep(0.01)
        assert (await create(client)).status_code == 201
        assert authority.asked == MAX_UNKNOWN_AT_ONCE
        authority.answers.set()
        assert {(await guess).status_code for guess in guesses} == {401}


async def test_without_a_token_an_address_may_call_so_often_and_probes_always() -> None:
    handlers, strangers = (*HANDLERS, Probe), Buckets(0.001, 3)
    async with answering_by(*handlers, gate=gate_of(Scripted()), strangers=strangers) as client:
        answers = [await create(client, None) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 2
        assert (await client.get("/nothing")).status_code == 429
        assert (await client.get("/probe")).status_code == 200
        assert (await create(client)).status_code == 201


async def test_a_trusted_proxy_says_for_whom_it_calls_and_nobody_else_does() -> None:
    strangers, proxies = Buckets(0.001, 1), Proxies([ip_network("127.0.0.1/32")])

    async def ask(client: httpx.AsyncClient, forwarded: str) -> int:
        answer = await client.get("/none", headers={"X-Forwarded-For": forwarded})
        return answer.status_code

    async with answering_by(*HANDLERS, strangers=strangers, proxies=proxies) as client:
        assert [await ask(client, f"10.0.0.{n % 2}") for n in range(4)] == [404, 404, 429, 429]
        assert await ask(client, "6.6.6.6, 10.0.0.1") == 429
    async with answering_by(*HANDLERS, strangers=Buckets(0.001, 1)) as client:
        assert [await ask(client, f"10.0.0.{n}") for n in range(2)] == [404, 429]


async def test_calls_at_the_same_time_are_bounded_and_given_back() -> None:
    Held.begun, Held.may_end = asyncio.Event(), asyncio.Event()
    async with answering_by(*HANDLERS, gate=gate_of(Scripted(), most=1)) as client:
        async with client.stream("GET", "/stream/mail", headers=bearer()) as events:
            lines = events.aiter_lines()
            assert await anext(lines) == "event: first"
            assert (await create(client)).status_code == 429
            Held.may_end.set()
            assert [line async for line in lines] == [""]
        assert (await create(client)).status_code == 201

        Held.may_end.clear()
        held = asyncio.create_task(client.get("/held/mail", headers=bearer()))
        await Held.begun.wait()
        assert (await create(client)).status_code == 429
        Held.may_end.set()
        assert (await held).status_code == 200
        assert (await create(client)).status_code == 201


async def test_a_call_that_fails_is_given_back_too() -> None:
    async with answering_by(*HANDLERS, gate=gate_of(Scripted(), most=1)) as client:
        for _ in range(3):
            assert (await create(client, path="/held/mail")).status_code == 503


def audit_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [item.__dict__["fields"] for item in caplog.records if item.name == "zerog.audit"]


async def test_each_change_and_each_refused_one_is_written_down(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "zerog.audit")

    async with answering_by(*HANDLERS, gate=gate_of(Scripted())) as client:
        answer = await create(client)
        await create(client, path="/in/media")
        await create(client, "guess")

    first, later, unknown = audit_lines(caplog)
    assert first == {"caller": "shop", "addresses": ["127.0.0.1"], "changes": [
        {"verb": "create", "call": "POST /in/{queue}", "queues": ["mail"], "jobs": ["uuid-1"],
         "jobCount": 1, "workers": [], "status": 201, "count": 1, "traceIds": [],
         "requestIds": [answer.headers["X-Request-Id"]]}]}  # fmt: skip
    (refused,) = later["changes"]
    assert (later["caller"], refused["queues"], refused["status"]) == ("shop", ["media"], 403)
    assert (unknown["caller"], unknown["refused"]) == ("", {"401": 1})
    assert "guess" not in caplog.text


async def test_reading_is_not_written_down(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "zerog.audit")

    async with answering_by(*HANDLERS, gate=gate_of(Scripted())) as client:
        assert (await client.get("/in/mail", headers=bearer())).status_code == 200

    assert audit_lines(caplog) == []


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("", False), ("10.0.0.1", False), ("example", False)],
)  # fmt: skip
def test_only_addresses_of_this_machine_are_loopback(host: str, loopback: bool) -> None:
    assert is_local_only(host) is loopback


def test_without_authentication_only_loopback_or_an_explicit_word_will_do() -> None:
    assert open_gate(ApiSettings()) is None
    assert open_gate(ApiSettings(host="0.0.0.0", allow_open=True)) is None
    with pytest.raises(ConfigError, match="ZEROG_AUTH") as caught:
        open_gate(ApiSettings(host="0.0.0.0"))
    assert "ZEROG_ALLOW_OPEN=1" in str(caught.value)


def test_tokens_without_a_file_stop_the_start() -> None:
    with pytest.raises(ConfigError, match="needs ZEROG_TOKENS"):
        open_gate(ApiSettings(auth="tokens"))


def asking(origin: str) -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": "POST"}


async def test_a_page_of_an_origin_that_is_let_in_may_call() -> None:
    origin = "https://jobs.example"
    gate, cors = gate_of(Scripted()), Cors([origin])
    async with answering_by(*HANDLERS, gate=gate, cors=cors) as client:
        asked = await client.options("/in/mail", headers=asking(origin))
        headers = {"Origin": origin}
        answers = [asked, await client.post("/in/mail", headers=headers | bearer())]
        answers += [
            await client.post("/in/mail", headers=headers),
            await client.get("/", headers=headers),
        ]

    assert [answer.status_code for answer in answers] == [204, 201, 401, 404]
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "*", "https://jobs.example.evil", "http://jobs.example"],
)
def test_a_page_of_any_other_origin_may_not(origin: str) -> None:
    cors = Cors(["https://jobs.example"])

    assert cors.preflight(asking(origin)) is None
    assert "Access-Control-Allow-Origin" not in cors.headers(asking(origin))


async def test_a_job_that_could_not_be_taken_in_is_written_down_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "zerog.audit")
    store, queue = MemoryDatastore(), MemoryQueue()
    await store.upsert("types", "T", write(TypeDocument("T", "mail", {"type": "object"})))
    queue.away = True

    async with answering_with(store, queue, gate_of(Scripted())) as (client, _):
        answer = await client.post("/v1/jobs/T", json={}, headers=bearer())

    ((change,),) = [line["changes"] for line in audit_lines(caplog)]
    assert answer.status_code == change["status"] == 503
    assert change["jobCount"] == 1


async def test_who_has_lost_the_token_while_waiting_is_told_nothing() -> None:
    store, queue, authority = MemoryDatastore(), MemoryQueue(), Scripted()
    await store.upsert("types", "T", write(TypeDocument("T", "mail", {"type": "object"})))

    async with answering_with(store, queue, gate_of(authority)) as (client, _):
        uuid = (await client.post("/v1/jobs/T", json={}, headers=bearer())).json()["uuid"]
        path = f"/v1/jobs/{uuid}/progress?wait=0.01"
        assert (await client.get(path, headers=bearer())).status_code == 200
        authority.ended = True
        assert (await client.get(path, headers=bearer())).status_code == 403
