"""Both clients against a scripted API: the same script, the same outcome."""

import json
from typing import Any

import pytest

from zerog.client import ApiError, JobFailedError, UnreachableError, WaitTimeoutError
from zerog.model.errors import ConfigError, InvalidParametersError
from zerog_tools.cluster.ports import free_port

CREATED = {"uuid": "u-1"}
AWAY = {"status": 503, "code": "queue-unavailable", "detail": "the queue is unavailable"}


def progress(state: str = "running", code: int = -1, **more: Any) -> dict[str, Any]:
    return {
        "uuid": "u",
        "state": state,
        "completeness": 0.5,
        "resultCode": code,
        "attempt": 1,
    } | more


def event(kind: str, data: dict[str, Any], at: str = "1-0") -> bytes:
    return f"event: {kind}\nid: {at}\ndata: {json.dumps(data)}\n\n".encode()


def test_a_submission_posts_the_parameters_and_returns_the_uuid(
    api: Any, call: Any, answer: Any
) -> None:
    api.script(answer(201, CREATED))

    uuid = call("submit", "Greet", {"name": "Ada"}, priority=2, delay=1.5)

    assert uuid == "u-1"
    assert (api.seen[0].method, api.seen[0].path) == ("POST", "/v1/jobs/Greet")
    assert api.seen[0].body == {"name": "Ada"}
    assert api.seen[0].query == {"priority": ["2"], "delay": ["1.5"]}


def test_a_token_is_sent_as_bearer(api: Any, call: Any, answer: Any) -> None:
    api.script(answer(201, CREATED))

    call("submit", "Greet", token="s3cret")

    assert api.seen[0].headers["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_submission_is_repeated_with_the_same_key(
    api: Any, call: Any, answer: Any, status: int
) -> None:
    api.script(answer(status, AWAY), answer(201, CREATED))

    assert call("submit", "Greet", {}) == "u-1"

    keys = [seen.headers["idempotency-key"] for seen in api.seen]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_lost_answer_to_a_submission_is_asked_for_again_with_the_same_key(
    api: Any, call: Any, answer: Any
) -> None:
    api.script(answer(cut=True), answer(201, CREATED))

    assert call("submit", "Greet", {}) == "u-1"

    assert len({seen.headers["idempotency-key"] for seen in api.seen}) == 1


def test_a_refusal_is_final(api: Any, call: Any, answer: Any) -> None:
    api.script(answer(404, {"status": 404, "code": "unknown-type", "detail": "no such type"}))

    with pytest.raises(ApiError, match="no such type") as caught:
        call("submit", "Greet", {})

    assert caught.value.code == "unknown-type"
    assert len(api.seen) == 1


def test_repeating_ends_at_the_deadline_with_what_the_api_said(
    api: Any, call: Any, answer: Any
) -> None:
    api.script(answer(503, AWAY))

    with pytest.raises(ApiError, match="the queue is unavailable"):
        call("submit", "Greet", {}, retry_seconds=2)

    assert len(api.seen) >= 2


def test_an_api_that_is_away_is_unreachable_and_says_what_to_do(call: Any, api: Any) -> None:
    away = type(call)(call.kind, f"http://127.0.0.1:{free_port()}")

    with pytest.raises(UnreachableError, match="zerog dev"):
        away("types", retry_seconds=0.2)


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "localhost:8080", "ftp://127.0.0.1"])
def test_an_address_that_is_no_url_is_told_at_once(call: Any, api: Any, url: str) -> None:
    wrong = type(call)(call.kind, url)

    with pytest.raises(UnreachableError):
        wrong("types", retry_seconds=86400)  # no repetition makes it a URL


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("retry", ("u",)), ("change_many", ("retry", {}))],
)
@pytest.mark.parametrize("status", [502, 504])
def test_what_may_have_happened_behind_a_gateway_is_not_repeated_without_a_key(
    api: Any, call: Any, answer: Any, method: str, arguments: tuple[Any, ...], status: int
) -> None:
    api.script(answer(status, raw=b"<html>gateway</html>"))

    with pytest.raises(ApiError):
        call(method, *arguments, retry_seconds=1)

    assert len(api.seen) == 1


def test_a_batch_whose_answer_is_lost_is_repeated_with_its_key(
    api: Any, call: Any, answer: Any
) -> None:
    api.script(answer(cut=True), answer(201, {"uuids": ["a"]}))

    assert call("submit_many", [{"type": "T"}]) == ["a"]

    first, second = [seen.headers["idempotency-key"] for seen in api.seen]
    assert first == second


def test_a_batch_that_was_refused_for_now_is_repeated(api: Any, call: Any, answer: Any) -> None:
    api.script(answer(503, AWAY), answer(201, {"uuids": ["a", "b"]}))

    assert call("submit_many", [{"type": "T"}, {"type": "T"}]) == ["a", "b"]


def test_waiting_ends_with_the_job(api: Any, call: Any, answer: Any) -> None:
    done = progress("succeeded", 200)
    api.script(answer(body=progress("queued")), answer(body=progress()), answer(body=done))

    assert call("wait", "u") == done

    assert [list(seen.query) for seen in api.seen] == [[], ["wait"], ["wait"]]


def test_waiting_ends_at_its_time_limit(api: Any, call: Any, answer: Any) -> None:
    api.script(answer(body=progress()))

    with pytest.raises(WaitTimeoutError, match=r"job u is running after 0\.2 s"):
        call("wait", "u", timeout=0.2)


def test_a_wait_timeout_is_pythons_timeout_too() -> None:
    assert issubclass(WaitTimeoutError, TimeoutError)


def test_a_result_is_the_data_of_a_job_that_succeeded(api: Any, call: Any, answer: Any) -> None:
    data = {"uuid": "u", "resultCode": 200, "data": [1, 2]}
    api.script(answer(body=progress("succeeded", 200)), answer(body=data))

    assert call("result", "u") == [1, 2]


@pytest.mark.parametrize(("state", "code"), [("failed", 500), ("cancelled", 410), ("failed", 408)])
def test_a_result_of_a_job_that_did_not_succeed_is_an_error(
    api: Any, call: Any, answer: Any, state: str, code: int
) -> None:
    api.script(answer(body=progress(state, code, message="why")))

    with pytest.raises(JobFailedError, match="why") as caught:
        call("result", "u")

    assert (caught.value.state, caught.value.result_code) == (state, code)


def test_a_listing_goes_over_all_pages(api: Any, call: Any, answer: Any) -> None:
    api.script(
        answer(body={"jobs": [{"uuid": "c"}, {"uuid": "b"}], "next": "after-b"}),
        answer(body={"jobs": [{"uuid": "a"}], "next": None}),
    )

    jobs = call("list", states=["failed"], page_size=2)

    assert [job["uuid"] for job in jobs] == ["c", "b", "a"]
    assert api.seen[0].query == {"state": ["failed"], "limit": ["2"]}
    assert api.seen[1].query == {"state": ["failed"], "limit": ["2"], "cursor": ["after-b"]}


def test_a_log_is_read_page_by_page_in_the_order_of_writing(
    api: Any, call: Any, answer: Any
) -> None:
    def line(attempt: int, seq: int) -> dict[str, Any]:
        return {"attempt": attempt, "seq": seq}

    first = {"events": [line(1, 0), line(1, 2)], "warnings": [line(1, 1)], "errors": []}
    last = {"events": [line(2, 0)], "warnings": [], "errors": [line(1, 3)]}
    api.script(answer(body={**first, "next": "1-2"}), answer(body={**last, "next": None}))

    lines = call("log", "u")

    places = [(item["attempt"], item["seq"]) for item in lines]
    assert places == [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0)]
    assert [seen.path for seen in api.seen] == ["/v1/jobs/u/info"] * 2
    assert api.seen[0].query == {"limit": ["1000"]}
    assert api.seen[1].query == {"limit": ["1000"], "cursor": ["1-2"]}


def test_an_info_is_one_page(api: Any, call: Any, answer: Any) -> None:
    api.script(answer(body={"events": [], "next": "1-2"}))

    assert call("info", "u")["next"] == "1-2"
    call("info", "u", limit=5, cursor="1-2")

    assert api.seen[0].query == {}
    assert api.seen[1].query == {"limit": ["5"], "cursor": ["1-2"]}


def test_a_deletion_returns_nothing(api: Any, call: Any, answer: Any) -> None:
    api.script(answer(204, raw=b""))

    assert call("delete", "u") is None

    assert (api.seen[0].method, api.seen[0].path) == ("DELETE", "/v1/jobs/u")


@pytest.mark.parametrize("name", ["types", "queues", "workers", "pools"])
def test_a_listing_of_the_system_is_unwrapped(api: Any, call: Any, answer: Any, name: str) -> None:
    api.script(answer(body={name: [{"name": "x"}]}))

    assert call(name) == [{"name": "x"}]


@pytest.mark.parametrize(
    ("method", "path"),
    [("pause", "/v1/queues/a%2Fb:pause"), ("resume", "/v1/queues/a%2Fb:resume"),
     ("drain", "/v1/workers/a%2Fb:drain"), ("undrain", "/v1/workers/a%2Fb:undrain")],
)  # fmt: skip
def test_what_holds_work_is_asked_for_again_while_the_api_is_away(
    api: Any, call: Any, answer: Any, method: str, path: str
) -> None:
    api.script(answer(503, AWAY), answer(cut=True), answer(body={"name": "a/b"}))

    assert call(method, "a/b") == {"name": "a/b"}

    assert [(seen.method, seen.path) for seen in api.seen] == 3 * [("POST", path)]


def test_a_reason_is_sent_along(api: Any, call: Any, answer: Any) -> None:
    api.script(answer(body={"name": "media"}))

    call("pause", "media", "no disk")

    assert api.seen[0].body == {"reason": "no disk"}


def test_a_type_is_read_by_its_name(api: Any, call: Any, answer: Any) -> None:
    api.script(answer(body={"name": "a/b", "served": None}))

    assert call("type", "a/b") == {"name": "a/b", "served": None}

    assert (api.seen[0].method, api.seen[0].path) == ("GET", "/v1/types/a%2Fb")


def test_a_stream_gives_events_up_to_the_end(api: Any, call: Any, answer: Any) -> None:
    done = progress("succeeded", 200)
    chunks = [event("progress", progress()), event("alive", {}), event("end", done)]
    api.script(answer(chunks=chunks))

    events = call("stream", "u")

    assert [item.kind for item in events] == ["progress", "end"]
    assert events[-1].data == done


@pytest.mark.parametrize("cut", [True, False], ids=["cut", "ended early"])
def test_a_stream_goes_on_after_the_last_event_that_it_gave(
    api: Any, call: Any, answer: Any, cut: bool
) -> None:
    first = event("log", {"message": "a"}, "1-0")
    rest = [event("log", {"message": "b"}, "1-1"), event("end", progress("succeeded", 200), "1-1")]
    api.script(answer(chunks=[first], cut=cut), answer(chunks=rest))

    events = call("stream", "u")

    assert [item.kind for item in events] == ["log", "log", "end"]
    assert "last-event-id" not in api.seen[0].headers
    assert api.seen[1].headers["last-event-id"] == "1-0"


def test_a_stream_that_was_silent_for_long_survives_a_cut_all_the_same(
    api: Any, call: Any, answer: Any
) -> None:
    quiet = [event("progress", progress()), 1.6, event("alive", {}), 0.1]
    api.script(
        answer(chunks=quiet, cut=True), answer(chunks=[event("end", progress("succeeded", 200))])
    )

    events = call("stream", "u", retry_seconds=1.5)

    assert [item.kind for item in events] == ["progress", "end"]


def test_a_stream_survives_an_api_that_is_not_ready_again(api: Any, call: Any, answer: Any) -> None:
    end = event("end", progress("succeeded", 200))
    api.script(
        answer(chunks=[event("progress", progress())], cut=True),
        answer(503, AWAY),
        answer(chunks=[end]),
    )

    assert [item.kind for item in call("stream", "u")] == ["progress", "end"]


def test_a_stream_of_an_unknown_job_is_refused(api: Any, call: Any, answer: Any) -> None:
    api.script(answer(404, {"status": 404, "code": "unknown-job", "detail": "there is no job"}))

    with pytest.raises(ApiError, match="there is no job"):
        call("stream", "u")

    assert len(api.seen) == 1


#: What Python takes for the end of a line, and a server-sent event does not.
NOT_LINE_ENDS = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\r"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_log_line_with_any_letters_is_one_event(
    api: Any, call: Any, answer: Any, end: str, size: int
) -> None:
    message = f"before{NOT_LINE_ENDS}after \U0001f600"
    data = json.dumps({"message": message}, ensure_ascii=False)
    last = json.dumps(progress("succeeded", 200))
    lines = ["event: log", "id: 1-0", f"data: {data}", "", ": here", "", "event: end"]
    raw = end.join([*lines, f"data: {last}", "", ""]).encode()
    # Connections cut bytes where they like, also inside a letter.
    api.script(answer(chunks=[raw[at : at + size] for at in range(0, len(raw), size)]))

    events = call("stream", "u")

    assert [item.kind for item in events] == ["log", "end"]
    assert events[0].data == {"message": message}


def test_a_page_in_place_of_a_stream_is_told_at_once(api: Any, call: Any, answer: Any) -> None:
    page = answer(200, raw=b"<html>Log in</html>", headers={"Content-Type": "text/html; charset=x"})
    api.script(page)

    with pytest.raises(ApiError, match=r"not an event stream but text/html.*a ZeroG API\?"):
        call("stream", "u", retry_seconds=86400)

    assert len(api.seen) == 1


@pytest.mark.parametrize("chunks", [[], [b"\n\n"], [b": ping\n\n"], [b"retry: 10\n\n"]])
def test_a_stream_that_ends_again_and_again_without_an_event_is_an_error(
    api: Any, call: Any, answer: Any, chunks: list[bytes]
) -> None:
    api.script(answer(chunks=chunks))

    with pytest.raises(ApiError, match="stream /v1/jobs/u/stream ends without an event"):
        call("stream", "u", retry_seconds=0.3)

    assert len(api.seen) > 1


def test_a_comment_after_an_event_is_no_event(api: Any, call: Any, answer: Any) -> None:
    chunks = [event("log", {"message": "a"}), b": here\n\n", event("end", progress("failed", 500))]
    api.script(answer(chunks=chunks))

    assert [item.kind for item in call("stream", "u")] == ["log", "end"]


def test_a_key_may_have_any_letters(api: Any, call: Any, answer: Any) -> None:
    api.script(answer(201, CREATED))

    call("submit", "Greet", {}, idempotency_key="Schlüssel 钥匙")

    sent = api.seen[0].headers["idempotency-key"]
    assert sent.encode("latin-1").decode() == "Schlüssel 钥匙"


def test_a_token_that_no_header_carries_is_told(call: Any, api: Any) -> None:
    with pytest.raises(ConfigError, match="the token has characters"):
        call("types", token="zwei\nZeilen")


def test_parameters_without_a_json_form_are_refused_before_anything_is_sent(
    api: Any, call: Any
) -> None:
    with pytest.raises(InvalidParametersError, match=r"\$\.size has no JSON form"):
        call("submit", "Greet", {"size": float("nan")})

    assert api.seen == []


@pytest.mark.parametrize("body", [[], "text", 7, None, {"other": 1}])
@pytest.mark.parametrize(
    ("method", "arguments"),
    [("submit", ("T",)), ("wait", ("u",)), ("data", ("u",)), ("list", ()), ("types", ())],
)
def test_json_of_something_else_is_told(
    api: Any, call: Any, answer: Any, method: str, arguments: tuple[str, ...], body: Any
) -> None:
    api.script(answer(body=body))

    with pytest.raises(ApiError, match="is this the address of a ZeroG API"):
        call(method, *arguments)


def test_an_answer_that_cannot_be_unpacked_is_no_answer(api: Any, call: Any, answer: Any) -> None:
    api.script(answer(raw=b"not gzip", headers={"Content-Encoding": "gzip"}))

    with pytest.raises(UnreachableError, match="no answer from"):
        call("types", retry_seconds=0.1)


@pytest.mark.parametrize("errors", [None, "text", [1], [{"code": 1, "message": "m"}], {"a": 1}])
def test_a_problem_of_something_else_is_an_api_error(
    api: Any, call: Any, answer: Any, errors: Any
) -> None:
    api.script(answer(400, {"errors": errors}))

    with pytest.raises(ApiError, match="status 400"):
        call("types")
