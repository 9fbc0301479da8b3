"""Requests are read by their models: what fits, and what a client is told of what does not."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from zerog.model.record import State, new_job_id
from zerog_api.core.errors import Fault
from zerog_api.core.intake import Asked
from zerog_api.edge import reading
from zerog_api.edge.reading import asked_of, asked_of_batch, read_model, read_query
from zerog_api.models import (
    MAX_DELAY_SECONDS,
    Batch,
    ListQuery,
    NoQuery,
    Request,
    RunQuery,
    Selection,
    StatsQuery,
    WaitQuery,
)
from zerog_api.problems import Problem

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
UUID = str(new_job_id())
OPTIONS = "there are: delay, expiresAt, label, priority, startAt, timeout"
JOB_FIELDS = "there are: delay, expiresAt, labels, parameters, priority, startAt, timeout, type"
FILTER_FIELDS = (
    "there are: cause, endedAfter, endedBefore, label, queue, state, submittedAfter, "
    "submittedBefore, type, uuids"
)
STATES = (
    "must be one of 'queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled' or 'expired'"
)


def faults_of_query(model: type[Request], text: str) -> dict[str, str]:
    with pytest.raises(Problem) as caught:
        read_query(model, text)
    assert (caught.value.status, caught.value.code) == (422, "invalid-request")
    return {fault.path: fault.message for fault in caught.value.faults}


def faults_of_body(model: type[Request], value: object) -> dict[str, str]:
    with pytest.raises(Problem) as caught:
        read_model(model, value)
    assert caught.value.status == 422
    return {fault.path: fault.message for fault in caught.value.faults}


def test_an_empty_query_is_read_once_for_all() -> None:
    assert read_query(ListQuery, "") is read_query(ListQuery, "")
    assert read_query(ListQuery, "").limit == 50


def test_texts_of_a_query_are_read_as_what_they_stand_for() -> None:
    query = "type=A&state=queued&type=B&limit=5&cursor="

    found = read_query(ListQuery, query)

    assert (found.type, found.state, found.queue) == (("A", "B"), (State.QUEUED,), ())
    assert (found.limit, found.cursor) == (5, "")
    assert read_query(WaitQuery, "wait=1.5").wait == 1.5
    assert read_query(RunQuery, "startAt=2026-02-01T01:00:00%2B01:00").start_at == datetime(
        2026, 2, 1, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("query", "path", "message"),
    [
        ("priority=10", "?priority", "must be an integer from 0 to 9"),
        ("priority=x", "?priority", "must be an integer from 0 to 9"),
        ("priority=", "?priority", "must be an integer from 0 to 9"),
        (f"priority={'9' * 5000}", "?priority", "must be an integer from 0 to 9"),
        ("delay=-1", "?delay", "must be a number from 0 to 31622400"),
        ("delay=nan", "?delay", "must be a number from 0 to 31622400"),
        ("delay=1e400", "?delay", "must be a number from 0 to 31622400"),
        ("timeout=0", "?timeout", "must be a number from 0.001 to 2592000"),
        ("priority=1&priority=2", "?priority", "is given more than once"),
        ("delay=1&startAt=2026-12-01T00:00:00Z", "?delay", "cannot be given together with startAt"),
        *(
            (f"startAt={text}", "?startAt", "must be a time with a time zone, e.g. "
             "2026-01-31T12:00:00Z")
            for text in ("tomorrow", "2026-01-01", "2026-01-01T00:00:00", "5", "",
                         "0001-01-01T00:00:00%2B23:59")
        ),
        ("uuid=1", "?uuid", f"no such parameter; {OPTIONS}"),
        ("start_at=2026-12-01T00:00:00Z", "?start_at", f"no such parameter; {OPTIONS}"),
        ("startAt=2026-12-01T00:00:00Z&expiresAt=2026-12-01T00:00:00Z", "?expiresAt",
         "must be later than startAt"),
        ("label=a=1&label=a=2", "?label", "gives one label two values"),
        ("label=a", "?label", "write a label as key=value"),
        ("label=a=%00", "?label",
         "the label 'a' needs a value of 1 to 63 printable characters"),
    ],
)  # fmt: skip
def test_a_bad_option_is_reported_with_what_it_must_be(query: str, path: str, message: str) -> None:
    assert faults_of_query(RunQuery, query) == {path: message}


def test_a_bad_listing_is_reported() -> None:
    assert faults_of_query(ListQuery, "limit=0") == {"?limit": "must be an integer from 1 to 500"}
    assert faults_of_query(ListQuery, "state=queued&state=done") == {"?state": STATES}
    assert faults_of_query(ListQuery, "type=A&" * 101) == {"?type": "is given more than 100 times"}
    assert faults_of_query(StatsQuery, "minutes=1e999") == {
        "?minutes": "must be an integer from 1 to 360"
    }


def test_several_faults_of_a_query_are_reported_at_once() -> None:
    assert set(faults_of_query(RunQuery, "priority=x&timeout=0")) == {"?priority", "?timeout"}
    assert set(faults_of_query(ListQuery, "limit=1&limit=2&a=b")) == {"?limit", "?a"}


def test_a_call_without_parameters_takes_none() -> None:
    assert faults_of_query(NoQuery, "a=1") == {"?a": "no such parameter; there are: none"}


def test_a_query_of_very_many_or_long_fields_is_cut_short() -> None:
    assert faults_of_query(NoQuery, "a&" * 1001) == {"?": "has more than 1000 parameters"}
    (path,) = faults_of_query(NoQuery, "a" * 10_000)
    assert path == "?" + "a" * 50


@pytest.mark.parametrize(
    ("job", "path", "message"),
    [
        (5, "", "must be an object"),
        ({}, ".type", "is required"),
        ({"type": 5}, ".type", "must be a string"),
        ({"type": None}, ".type", "must be a string"),
        ({"type": "A", "parameters": []}, ".parameters", "must be an object"),
        ({"type": "A", "parameters": None}, ".parameters", "must be an object"),
        ({"type": "A", "priority": "5"}, ".priority", "must be an integer from 0 to 9"),
        ({"type": "A", "priority": 5.0}, ".priority", "must be an integer from 0 to 9"),
        ({"type": "A", "priority": True}, ".priority", "must be an integer from 0 to 9"),
        ({"type": "A", "priority": 10**400}, ".priority", "must be an integer from 0 to 9"),
        ({"type": "A", "delay": True}, ".delay", "must be a number from 0 to 31622400"),
        ({"type": "A", "delay": 10**400}, ".delay", "must be a number from 0 to 31622400"),
        ({"type": "A", "delay": float("nan")}, ".delay", "must be a number from 0 to 31622400"),
        ({"type": "A", "delay": float("inf")}, ".delay", "must be a number from 0 to 31622400"),
        ({"type": "A", "timeout": 0}, ".timeout", "must be a number from 0.001 to 2592000"),
        ({"type": "A", "startAt": 5}, ".startAt",
         "must be a time with a time zone, e.g. 2026-01-31T12:00:00Z"),
        ({"type": "A", "delay": 1, "startAt": "2026-12-01T00:00:00Z"}, ".delay",
         "cannot be given together with startAt"),
        ({"type": "A", "labels": {"a b": "1"}}, ".labels",
         "'a b' cannot be a label's name: use 1 to 63 letters, digits, '.', '_', '-', '/', "
         "beginning and ending with a letter or digit"),
        ({"type": "A", "labels": {str(n): "x" for n in range(17)}}, ".labels",
         "must have at most 16 items"),
        ({"type": "A", "more": 1}, ".more", f"no such field; {JOB_FIELDS}"),
    ],
)  # fmt: skip
def test_a_bad_job_of_a_batch_is_reported_with_its_place(
    job: object, path: str, message: str
) -> None:
    batch = {"jobs": [{"type": "A"}, {"type": "A"}, {"type": "A"}, job]}

    assert faults_of_body(Batch, batch) == {f"$.jobs[3]{path}": message}


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ({}, "$.jobs", "is required"),
        ([], "$", "must be an object"),
        (None, "$", "must be an object"),
        ({"jobs": None}, "$.jobs", "must be a list"),
        ({"jobs": {}}, "$.jobs", "must be a list"),
        ({"jobs": []}, "$.jobs", "must have at least 1 item"),
        ({"jobs": [1] * 100_000}, "$.jobs", "must have at most 1000 items"),
        ({"jobs": [{"type": "A"}], "n": 1}, "$.n", "no such field; there are: jobs"),
    ],
)
def test_a_bad_batch_is_reported(body: object, path: str, message: str) -> None:
    assert faults_of_body(Batch, body) == {path: message}


def test_the_faults_that_are_reported_are_bounded() -> None:
    def count(jobs: list[Any]) -> int:
        return len(faults_of_body(Batch, {"jobs": jobs}))

    full = {str(number): 1 for number in range(5)}
    assert count([full]) == len(full) + 1  # the type is missing, too
    assert count([full, {"type": 5}, full]) == 2 * len(full) + 3
    assert count([full] * 1000) == reading.MAX_FAULTS


MANY = {str(number): 1 for number in range(100_000)}


@pytest.mark.parametrize(
    ("model", "body", "path", "message"),
    [
        (Batch, MANY, "$.0", "no such field; there are: jobs"),
        (Batch, {"jobs": [{"type": "A"}, MANY]}, "$.jobs[1].0", f"no such field; {JOB_FIELDS}"),
        (Batch, {"jobs": [MANY] * 1001}, "$.jobs", "must have at most 1000 items"),
        (Selection, MANY, "$.0", "no such field; there are: filter, limit"),
        (Selection, {"filter": MANY}, "$.filter.0",
         f"no such field; {FILTER_FIELDS}"),
        (Selection, {"filter": {"uuids": [1] * 100_000}}, "$.filter.uuids",
         "must have at most 1000 items"),
    ],
)  # fmt: skip
def test_what_is_too_long_is_refused_before_it_is_validated(
    model: type[Request], body: object, path: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr(model, "model_validate", lambda *_, **__: made.append(1))

    assert faults_of_body(model, body) == {path: message}
    assert made == []


def test_parameters_may_have_any_number_of_fields() -> None:
    batch = read_model(Batch, {"jobs": [{"type": "A", "parameters": MANY}]}, only_first=True)

    assert batch.jobs[0].parameters == MANY


WRONG_JOB = {"type": 1, "parameters": 1, "priority": "a", "x": 1}


@pytest.mark.parametrize(
    ("model", "body", "path"),
    [
        (Batch, {"jobs": [{"type": "A"}] * 3 + [WRONG_JOB] * 997}, "$.jobs[3].priority"),
        (Batch, {"jobs": [1] * 1000}, "$.jobs[0]"),
        (Batch, {"jobs": []}, "$.jobs"),
        (Batch, {"jobs": [{"type": "A"}] * 1000, "n": 1}, "$.n"),
        (Selection, {"filter": dict.fromkeys(["type", "state", "queue", "uuids"], [1] * 1000)},
         "$.filter.type[0]"),
    ],
)  # fmt: skip
def test_of_a_long_body_few_faults_are_made_and_the_first_is_told(
    model: type[Request], body: object, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    faults = reading._faults

    def count(error: ValidationError, *rest: Any) -> Iterator[Fault]:
        made.append(error.error_count())
        return faults(error, *rest)

    monkeypatch.setattr(reading, "_faults", count)

    with pytest.raises(Problem) as caught:
        read_model(model, body, only_first=True)

    assert [fault.path for fault in caught.value.faults] == [path]
    assert sum(made) <= 6


def test_a_null_option_of_a_batch_is_none() -> None:
    nothing = dict.fromkeys(("priority", "delay", "startAt", "timeout"))

    batch = read_model(Batch, {"jobs": [{"type": "A", **nothing}]})

    assert asked_of_batch(batch, NOW) == [Asked()]
    assert batch.jobs[0].parameters == {}


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ({}, "$.filter", "is required"),
        ({"filter": None}, "$.filter", "must be an object"),
        ({"filter": {}}, "$.filter",
         FILTER_FIELDS.replace("there are:", "must have at least one of")),
        ({"filter": {"n": 1}}, "$.filter.n", f"no such field; {FILTER_FIELDS}"),
        ({"filter": {"type": []}}, "$.filter.type", "must have at least 1 item"),
        ({"filter": {"type": ["A"] * 1001}}, "$.filter.type", "must have at most 1000 items"),
        ({"filter": {"type": None}}, "$.filter.type", "must be a list"),
        ({"filter": {"type": ["A", 5]}}, "$.filter.type[1]", "must be a string"),
        ({"filter": {"state": "done"}}, "$.filter.state", STATES),
        ({"filter": {"state": ["failed", "done"]}}, "$.filter.state[1]", STATES),
        ({"filter": {"uuids": "x"}}, "$.filter.uuids", "is not a job's UUID"),
        ({"filter": {"uuids": [UUID, UUID.upper()]}}, "$.filter.uuids[1]", "is not a job's UUID"),
        ({"filter": {"type": "A"}, "limit": 0}, "$.limit", "must be an integer from 1 to 1000"),
        ({"filter": {"type": "A"}, "limit": None}, "$.limit", "must be an integer from 1 to 1000"),
        ({"filter": {"type": "A"}, "limit": True}, "$.limit", "must be an integer from 1 to 1000"),
        ({"filter": {"type": "A"}, "n": 1}, "$.n", "no such field; there are: filter, limit"),
    ],
)  # fmt: skip
def test_a_bad_selection_is_reported(body: object, path: str, message: str) -> None:
    assert faults_of_body(Selection, body) == {path: message}


def test_a_filter_takes_one_text_or_several_and_each_once() -> None:
    found = read_model(
        Selection, {"filter": {"type": "A", "state": ["failed"], "uuids": [UUID, UUID]}}
    )

    chosen = found.filter
    assert (chosen.type, chosen.state, chosen.queue) == (["A"], [State.FAILED], [])
    assert chosen.uuids == [UUID]
    assert found.limit == 1000


def test_options_say_when_a_job_may_start() -> None:
    later = NOW + timedelta(seconds=90)
    assert asked_of(read_query(RunQuery, "delay=90&priority=2"), NOW) == Asked(2, None, later)
    assert asked_of(RunQuery(start_at=later, timeout=5), NOW) == Asked(None, 5.0, later)
    assert asked_of(read_query(RunQuery, "delay=0"), NOW) == Asked()


def test_a_start_more_than_a_year_ahead_is_refused() -> None:
    latest = NOW + timedelta(seconds=MAX_DELAY_SECONDS)
    assert asked_of(RunQuery(start_at=latest), NOW).not_before_time == latest

    late = RunQuery(start_at=latest + timedelta(seconds=1))
    with pytest.raises(Problem) as caught:
        asked_of(late, NOW)
    assert [fault.path for fault in caught.value.faults] == ["?startAt"]

    start = (latest + timedelta(days=1)).isoformat()
    jobs = [{"type": "A"}, {"type": "A", "startAt": start}, {"type": "A", "startAt": start}]
    with pytest.raises(Problem) as caught:
        asked_of_batch(read_model(Batch, {"jobs": jobs}), NOW)
    assert [fault.path for fault in caught.value.faults] == [
        "$.jobs[1].startAt",
        "$.jobs[2].startAt",
    ]


texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
option = st.sampled_from(["priority", "delay", "startAt", "timeout", "type", "parameters"]) | texts
bodies = values | st.builds(
    lambda jobs: {"jobs": jobs}, st.lists(st.dictionaries(option, values, max_size=5), max_size=3)
) | st.builds(
    lambda chosen, limit: {"filter": chosen, "limit": limit},
    st.dictionaries(st.sampled_from(["type", "state", "queue", "uuids"]) | texts, values), values,
)  # fmt: skip


def refusal_of(read: Callable[[], object]) -> Problem | None:
    try:
        read()
    except Problem as problem:
        return problem
    return None


@given(model=st.sampled_from([Batch, Selection]), body=bodies)
def test_anything_is_read_or_refused_with_faults(model: type[Request], body: object) -> None:
    problem = refusal_of(lambda: read_model(model, body))

    assert problem is None or problem.faults
    assert problem is None or len(json.dumps(problem.to_document())) < 10_000


@given(model=st.sampled_from([RunQuery, ListQuery, WaitQuery, StatsQuery, NoQuery]), query=texts)
def test_any_query_is_read_or_refused_with_faults(model: type[Request], query: str) -> None:
    problem = refusal_of(lambda: read_query(model, query))

    assert problem is None or problem.faults
