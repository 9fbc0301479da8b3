"""The gate: who gets in, what each refusal looks like, and what is written about it."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders

from zerog.model.errors import ConfigError, DatastoreUnavailableError
from zerog_api.auth.access import Verb
from zerog_api.auth.authority import AuthorityAwayError, Caller, Known
from zerog_api.auth.choice import open_gate
from zerog_api.auth.cors import Cors
from zerog_api.auth.gate import Gate, bearer_of
from zerog_api.auth.hosts import is_local_only
from zerog_api.auth.limits import Buckets, InFlight
from zerog_api.http import Answer, Request, Response, StreamResponse
from zerog_api.problems import Problem
from zerog_api.settings import ApiSettings

GOOD, SLOW = "good-token", "slow-token"
PATH = "/v1/jobs/{type}"


class Scripted:
    """An authority that knows one token at once and another after asking."""

    def __init__(self) -> None:
        self.away = False
        self.asked = 0

    def recall(self, token: str) -> Known | None:
        return Known(Caller("shop")) if token == GOOD else None

    async def identify(self, token: str) -> Caller | None:
        self.asked += 1
        if self.away:
            raise AuthorityAwayError
        return Caller("shop") if token in (GOOD, SLOW) else None

    async def may(self, caller: Caller, verb: Verb, queue: str | None) -> bool:
        if self.away:
            raise AuthorityAwayError
        return queue == "mail"

    async def close(self) -> None:
        pass


def request_with(token: str | None = GOOD, address: str = "192.0.2.1") -> Request:
    headers = HTTPHeaders({"Authorization": f"Bearer {token}"} if token else {})
    return Request("POST", "/v1/jobs/X", "", headers, address)


def gate_of(authority: Scripted, *, rate: float = 0, burst: float = 1, most: int = 0) -> Gate:
    return Gate(authority, Buckets(rate, burst), InFlight(most), Buckets(rate, burst))


def handler(request: Request, queue: str | None = "mail") -> Callable[[], Awaitable[Answer]]:
    async def handle() -> Answer:
        if queue is not None:
            await request.access.require(queue)
        request.access.note("uuid-1")
        return Response(201)

    return handle


async def pass_gate(gate: Gate, request: Request, queue: str | None = "mail") -> int:
    """Return the status that a call ends with."""
    try:
        answer = await gate.guard(request, Verb.CREATE, PATH, handler(request, queue))
    except Problem as problem:
        return problem.status
    assert isinstance(answer, Response)
    return answer.status


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER  a.b-c_d~e+f/g=="])
def test_a_bearer_token_is_read(header: str) -> None:
    assert bearer_of(header)


@pytest.mark.parametrize(
    "header",
    [None, "", "Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "Bearer a b", "Bearer a,Bearer b",
     "Bearer ä", "abc", "Bearer " + "x" * 20_000],
)  # fmt: skip
def test_any_other_header_is_401_with_a_challenge_and_without_its_text(header: str | None) -> None:
    with pytest.raises(Problem) as caught:
        bearer_of(header)

    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"].startswith('Bearer realm="zerog"')
    assert not header or header not in caught.value.detail


async def test_a_known_caller_with_the_right_gets_in() -> None:
    assert await pass_gate(gate_of(Scripted()), request_with()) == 201


@pytest.mark.parametrize(("token", "queue", "status"), [
    (None, "mail", 401), ("bad", "mail", 401), (GOOD, "media", 403)])  # fmt: skip
async def test_nobody_else_does(token: str | None, queue: str, status: int) -> None:
    assert await pass_gate(gate_of(Scripted()), request_with(token), queue) == status


@pytest.mark.parametrize("token", [GOOD, SLOW])
async def test_an_authority_that_is_away_is_503_and_never_open(token: str) -> None:
    authority = Scripted()
    authority.away = True
    request = request_with(token)

    with pytest.raises(Problem) as caught:
        await gate_of(authority).guard(request, Verb.CREATE, PATH, handler(request))

    assert caught.value.status == 503
    assert caught.value.headers["Retry-After"]


async def test_an_answer_that_nobody_asked_a_right_for_does_not_leave() -> None:
    assert await pass_gate(gate_of(Scripted()), request_with(), None) == 500


async def test_a_client_that_calls_too_often_is_told_when_to_come_back() -> None:
    gate = gate_of(Scripted(), rate=0.5, burst=2)
    request = request_with()

    assert [await pass_gate(gate, request_with()) for _ in range(2)] == [201, 201]
    with pytest.raises(Problem) as caught:
        await gate.guard(request, Verb.CREATE, PATH, handler(request))

    assert caught.value.status == 429
    assert 1 <= int(caught.value.headers["Retry-After"]) <= 2


async def test_guessing_tokens_is_slowed_before_anybody_is_asked() -> None:
    authority = Scripted()
    gate = gate_of(authority, rate=0.01, burst=5)

    statuses = [await pass_gate(gate, request_with(f"guess-{n}")) for n in range(50)]

    assert statuses == [401] * 5 + [429] * 45
    assert authority.asked == 5


async def test_a_good_token_that_nobody_knows_yet_is_no_guess() -> None:
    authority = Scripted()
    gate = Gate(authority, Buckets(0, 0), InFlight(0), Buckets(0.001, 1))

    for _ in range(20):
        assert await pass_gate(gate, request_with(SLOW)) == 201

    assert authority.asked == 20


async def test_guesses_from_one_address_do_not_stop_known_callers_there() -> None:
    gate = gate_of(Scripted(), rate=0.01, burst=1)
    for number in range(5):
        await pass_gate(gate, request_with(f"guess-{number}"))

    assert await pass_gate(gate, request_with()) == 201


async def test_calls_at_the_same_time_are_bounded_and_given_back() -> None:
    gate = gate_of(Scripted(), most=1)
    outer = request_with()

    async def handle() -> Answer:
        await outer.access.require("mail")
        assert await pass_gate(gate, request_with()) == 429
        return Response(200)

    await gate.guard(outer, Verb.GET, PATH, handle)

    assert await pass_gate(gate, request_with()) == 201


async def test_a_stream_counts_until_it_has_ended() -> None:
    gate = gate_of(Scripted(), most=1)
    request = request_with()

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield b""

    async def handle() -> Answer:
        await request.access.require("mail")
        return StreamResponse(chunks(), "text/event-stream")

    answer = await gate.guard(request, Verb.GET, PATH, handle)
    assert isinstance(answer, StreamResponse)
    assert answer.ended is not None

    assert await pass_gate(gate, request_with()) == 429
    answer.ended()
    assert await pass_gate(gate, request_with()) == 201


async def test_a_call_that_fails_is_given_back_too() -> None:
    gate = gate_of(Scripted(), most=1)

    async def fail() -> Answer:
        raise DatastoreUnavailableError

    for _ in range(3):
        with pytest.raises(DatastoreUnavailableError):
            await gate.guard(request_with(), Verb.CREATE, PATH, fail)


def audit_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [item.__dict__["fields"] for item in caplog.records if item.name == "zerog.audit"]


async def test_each_change_and_each_refused_one_is_written_down(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "zerog.audit")
    gate = gate_of(Scripted())

    await pass_gate(gate, request_with())
    await pass_gate(gate, request_with(), "media")
    await pass_gate(gate, request_with("guess"))

    done, refused, unknown = audit_lines(caplog)
    assert done == {"caller": "shop", "address": "192.0.2.1", "verb": "create",
                    "call": f"POST {PATH}", "queues": ["mail"], "jobs": ["uuid-1"],
                    "jobCount": 1, "status": 201}  # fmt: skip
    assert (refused["caller"], refused["queues"], refused["status"]) == ("shop", ["media"], 403)
    assert (unknown["caller"], unknown["status"]) == ("", 401)
    assert "guess" not in caplog.text


async def test_reading_is_not_written_down(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "zerog.audit")
    request = request_with()

    await gate_of(Scripted()).guard(request, Verb.GET, PATH, handler(request))

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


def options(origin: str, method: str = "OPTIONS", asks: str = "POST") -> Request:
    headers = HTTPHeaders({"Origin": origin, "Access-Control-Request-Method": asks})
    return Request(method, "/v1/jobs/X", "", headers)


def test_a_page_of_an_origin_that_is_let_in_may_call() -> None:
    cors = Cors(["https://jobs.example"])

    answer = cors.preflight(options("https://jobs.example"))

    assert answer is not None
    assert answer.headers["Access-Control-Allow-Origin"] == "https://jobs.example"
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "*", "https://jobs.example.evil", "http://jobs.example"],
)
def test_a_page_of_any_other_origin_may_not(origin: str) -> None:
    cors = Cors(["https://jobs.example"])

    assert cors.preflight(options(origin)) is None
    assert "Access-Control-Allow-Origin" not in cors.headers(options(origin))
