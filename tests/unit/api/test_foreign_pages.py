"""What strangers send to an API without authentication."""

import asyncio
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders

from zerog_api.auth.access import Verb
from zerog_api.auth.cors import refuse_foreign_page
from zerog_api.http import Answer, Handler, Request, Response
from zerog_api.problems import Problem
from zerog_api.routes import Route, Router
from zerog_api.system import Metrics


def sent(**headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/v1/jobs/mail", "", HTTPHeaders({"Host": "localhost:8080", **named}))


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:9"])
def test_a_page_of_another_origin_cannot_change_jobs(origin: str) -> None:
    with pytest.raises(Problem) as refused:
        refuse_foreign_page(sent(Origin=origin, Sec_Fetch_Site="cross-site"), ())
    assert refused.value.status == 403


def test_our_own_page_programs_and_origins_let_in_may_change_jobs() -> None:
    refuse_foreign_page(sent(), ())
    refuse_foreign_page(sent(Origin="http://localhost:8080"), ())
    refuse_foreign_page(sent(Origin="https://proxy.example", Sec_Fetch_Site="same-origin"), ())
    refuse_foreign_page(sent(Origin="https://app.example"), ["https://app.example"])


def test_methods_that_clients_make_up_are_not_remembered() -> None:
    metrics = Metrics()
    for number in range(50):
        metrics.observe(f"MADEUP{number}", "none", 404, 0.001)
    assert len(metrics._known) == 1


def test_braces_in_a_path_are_an_ordinary_name() -> None:
    async def call(request: Request, query: dict[str, Any], name: str) -> Response:
        return Response(body=name.encode())

    route = Route("GET", "/static/{name}", None, call, "")
    handler, _ = Router([route]).find("GET", "/static/{}")
    answer = asyncio.run(_answer(handler))
    assert isinstance(answer, Response)
    assert answer.body == b"{}"


def test_without_a_gate_the_router_asks_where_a_change_comes_from() -> None:
    async def call(request: Request, query: dict[str, Any], name: str) -> Response:
        return Response()

    route = Route("POST", "/v1/jobs/{type}", Verb.CREATE, call, "")
    handler, _ = Router([route]).find("POST", "/v1/jobs/mail")

    async def run() -> Answer:
        return await handler(sent(Origin="https://evil.example"))

    with pytest.raises(Problem):
        asyncio.run(run())


async def _answer(handler: Handler) -> Answer:
    return await handler(Request("GET", "/", "", HTTPHeaders()))
