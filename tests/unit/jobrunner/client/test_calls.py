"""The pure half of the clients: requests as values, answers read, pauses."""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from httpx_sse import ServerSentEvent
from hypothesis import given
from hypothesis import strategies as st

import zerog
from zerog.client import ApiError, JobFailedError
from zerog.client.calls import (
    PAUSES,
    batch_call,
    encode_body,
    filter_of,
    job_call,
    list_call,
    pause_seconds,
    progress_call,
    read_answer,
    read_event,
    submit_call,
)
from zerog.client.options import ListFilter, SubmitOptions
from zerog.model.errors import InvalidParametersError
from zerog.sdk.registry import REGISTRY


@pytest.fixture
def greet(monkeypatch: pytest.MonkeyPatch) -> type[zerog.Job]:
    monkeypatch.setattr(REGISTRY, "types", {})

    class Greet(zerog.Job):
        name: str
        times: int = 1

        def run(self, ctx: zerog.Context) -> None: ...

    return Greet


def test_a_submission_without_a_key_gets_one_of_its_own() -> None:
    keys = {submit_call("T", {}).headers["Idempotency-Key"] for _ in range(10)}

    assert len(keys) == 10


def test_the_callers_key_is_sent_as_it_is() -> None:
    assert submit_call("T", {}, idempotency_key="k").headers == {"Idempotency-Key": "k"}


def test_options_that_are_not_given_are_not_sent() -> None:
    assert submit_call("T", None).query == {}


def test_an_option_of_zero_is_sent() -> None:
    assert submit_call("T", None, priority=0, delay=0).query == {"priority": 0, "delay": 0}


def test_a_start_time_is_sent_in_utc() -> None:
    start = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

    assert submit_call("T", None, start_at=start).query["startAt"].startswith("2030-01-02T03:04:05")
    assert submit_call("T", None, start_at=start).query["startAt"].endswith("Z")


def test_a_job_instance_is_its_type_and_its_fields(greet: type[zerog.Job]) -> None:
    call = submit_call(greet.model_validate({"name": "Ada"}), None)

    assert (call.path, call.body) == ("/v1/jobs/Greet", {"name": "Ada", "times": 1})


@pytest.mark.parametrize("name", ["a/b", "a?b", "a#b", "../types", "ä"])
def test_a_type_name_cannot_leave_its_place_in_the_path(name: str) -> None:
    path = submit_call(name, {}).path

    assert path.startswith("/v1/jobs/")
    assert path.count("/") == 3
    assert not set("?#") & set(path)


def test_what_must_not_happen_twice_is_not_repeated() -> None:
    assert submit_call("T", {}).repeatable
    assert job_call("u", "cancel", "POST").repeatable
    assert job_call("u", method="DELETE").repeatable
    assert not job_call("u", "retry", "POST").repeatable
    assert batch_call([{"type": "T"}]).repeatable


def test_what_is_submitted_carries_a_key_of_its_own() -> None:
    calls = [submit_call("T", {}), submit_call("T", {}), batch_call([]), batch_call([])]

    assert len({call.headers["Idempotency-Key"] for call in calls}) == 4


def test_a_waiting_call_is_given_more_time_than_the_server_is_asked_to_hold_it() -> None:
    call = progress_call("u", 20.0)

    assert call.query == {"wait": 20.0}
    assert call.timeout_seconds > 20.0


def test_a_listing_sends_only_the_filters_that_are_set() -> None:
    assert list_call(filter_of(), 5, None).query == {"limit": 5}
    chosen = filter_of(types=("T",), states=("failed", "queued"), labels={"b": "2", "a": "1"})
    assert list_call(chosen, 5, "c").query == {
        "type": ["T"],
        "state": ["failed", "queued"],
        "label": ["a=1", "b=2"],
        "limit": 5,
        "cursor": "c",
    }


def test_a_filter_sends_times_with_their_zone() -> None:
    noon = datetime(2026, 1, 31, 13, tzinfo=timezone(timedelta(hours=1)))

    assert filter_of(ended_after=noon) == {"endedAfter": "2026-01-31T12:00:00.000000Z"}
    with pytest.raises(ValueError, match=r"ended_before .* has no time zone"):
        filter_of(ended_before=datetime(2026, 1, 31))


def test_a_job_is_submitted_with_labels_and_with_a_time_by_which_it_has_to_start() -> None:
    call = submit_call("T", {}, labels={"team": "a"}, expires_at=datetime(2026, 1, 31, tzinfo=UTC))

    assert call.query == {"label": ("team=a",), "expiresAt": "2026-01-31T00:00:00.000000Z"}


def test_a_problem_becomes_an_error_with_its_code_and_faults() -> None:
    problem = {
        "status": 422,
        "code": "invalid-request",
        "detail": "the parameters do not fit",
        "errors": [{"path": "$.url", "message": "is missing"}],
    }

    with pytest.raises(ApiError) as caught:
        read_answer(httpx.Response(422, json=problem))

    error = caught.value
    assert (error.status, error.code) == (422, "invalid-request")
    assert error.faults == [("$.url", "is missing")]
    assert str(error) == "the parameters do not fit\n  $.url: is missing"


@pytest.mark.parametrize(
    "body", [b"<html>Bad gateway</html>", b"", b"[]", b"null", b"\xff\xfe\xfd"]
)
def test_an_error_that_is_no_problem_document_is_an_api_error_too(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        read_answer(httpx.Response(502, content=body))

    assert (caught.value.status, caught.value.code) == (502, "unknown")
    assert "502" in str(caught.value)


def test_a_success_that_is_not_json_is_an_api_error() -> None:
    # A portal or proxy that answers 200 with a page of its own.
    with pytest.raises(ApiError, match="JSON"):
        read_answer(httpx.Response(200, content=b"<html>Log in</html>"))


def test_an_answer_without_content_is_nothing() -> None:
    assert read_answer(httpx.Response(204)) is None


def test_a_failed_job_tells_its_state_code_and_message() -> None:
    progress = {"uuid": "u", "state": "failed", "resultCode": 500, "message": "no disk"}

    error = JobFailedError(progress)

    assert (error.uuid, error.state, error.result_code) == ("u", "failed", 500)
    assert str(error) == "job u failed with result code 500: no disk"


def test_a_message_that_only_repeats_the_state_is_not_told() -> None:
    progress = {"uuid": "u", "state": "cancelled", "resultCode": 410, "message": "cancelled"}

    assert str(JobFailedError(progress)) == "job u cancelled with result code 410"


@given(st.integers(min_value=0, max_value=10_000))
def test_pauses_stay_positive_and_bounded(failures: int) -> None:
    assert 0 < pause_seconds(failures, None) <= PAUSES.max_seconds


def test_pauses_grow() -> None:
    assert max(pause_seconds(1, None) for _ in range(50)) <= 0.1
    assert min(pause_seconds(7, None) for _ in range(50)) >= 2.5


def test_nobody_comes_back_before_the_time_that_the_server_asks_for() -> None:
    response = httpx.Response(503, headers={"Retry-After": "2"})

    pauses = [pause_seconds(0, response) for _ in range(200)]

    assert min(pauses) >= 2.0
    assert len(set(pauses)) > 100, "clients that were refused together come back together"


@pytest.mark.parametrize("text", ["soon", "-1", "", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_retry_after_that_is_no_number_of_seconds_means_the_usual_pause(text: str) -> None:
    assert pause_seconds(0, httpx.Response(503, headers={"Retry-After": text})) <= 0.1


@pytest.mark.parametrize(
    "key", ["two\nlines", "a\r\nX-Other: 1", "", " a", "a ", "x" * 256, "ü" * 128, "\x00", "\udce9"]
)
def test_a_key_that_no_header_carries_is_refused_at_once(key: str) -> None:
    with pytest.raises(ValueError, match="cannot be an Idempotency-Key"):
        submit_call("T", {}, idempotency_key=key)


def test_a_start_time_without_a_time_zone_is_refused_with_the_right_form() -> None:
    with pytest.raises(ValueError, match=r"no time zone: write e\.g\. datetime\.now\(UTC\)"):
        submit_call("T", {}, start_at=datetime(2030, 1, 2))


def test_a_start_that_is_no_time_is_refused() -> None:
    with pytest.raises(TypeError, match="datetime with a time zone, not 'tomorrow'"):
        submit_call("T", {}, start_at="tomorrow")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"a": {"b": [1, float("nan")]}}, r"\$\.a\.b\.1 has no JSON form"),
        ({"a": float("inf")}, r"\$\.a has no JSON form"),
        ({"a": b"bytes"}, r"\$\.a has no JSON form: .*bytes"),
        ({"a": "\udce9"}, r"\$\.a has no JSON form"),
        ({"a": 10**5000}, r"\$\.a has no JSON form"),
    ],
)
def test_what_has_no_json_form_is_refused_with_its_place(body: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidParametersError, match=place):
        encode_body(body)


@pytest.mark.parametrize("text", ["", "[1]", "nonsense", "<html>"])
def test_an_event_that_is_no_object_is_an_api_error_or_nothing(text: str) -> None:
    sent = ServerSentEvent(event="log", data=text, id="1-0")

    if not text:
        assert read_event(sent) is None
        return
    with pytest.raises(ApiError, match="is this the address of a ZeroG API"):
        read_event(sent)


@pytest.mark.parametrize(
    ("keywords", "build"), [(SubmitOptions, submit_call), (ListFilter, filter_of)]
)
def test_type_checkers_know_the_keywords_that_a_call_takes(
    keywords: type, build: Callable[..., Any]
) -> None:
    taken = inspect.signature(build).parameters.values()

    assert {*keywords.__annotations__} == {
        each.name for each in taken if each.kind == each.KEYWORD_ONLY
    }
