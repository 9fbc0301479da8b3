"""Whatever stands in a stored document, reading it gives a value or says what does not fit."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chaos.decoders import KINDS

from zerog.ledger.codec import read_record, write_record
from zerog.model import documents, jsontext
from zerog.model.errors import UnreadableDocumentError
from zerog.model.record import JobRecord, State, new_job_id, parse_time

NOW = parse_time("2026-01-01T00:00:00Z")

texts = st.text(st.characters(codec="utf-8"), max_size=20)
odd = st.sampled_from(
    [
        10**30, -(10**30), 2**63, -1, 1e308, 5e-324, -0.0, "", "x" * 5000, "-1",
        "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-01-01T00:00:00",
        "2026-02-30T00:00:00Z", "running", "queued", "nobody's state", [], {}, [[]], True,
    ]
)  # fmt: skip
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | odd,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def plain_documents(kind: type) -> st.SearchStrategy[dict[str, Any]]:
    """Return documents with some of a type's fields, each with any value, and with others."""
    fields = {field.encode_name: values for field in msgspec.structs.fields(kind)}
    return st.builds(
        lambda known, other: {**other, **known},
        st.fixed_dictionaries({}, optional=fields),
        st.dictionaries(texts, values, max_size=2),
    )


def whole_record() -> dict[str, Any]:
    """Return the document of a job that runs."""
    worker = {"name": "w-1"}
    attempt = {"number": 1, "worker": worker, "startedTime": "2026-01-01T00:00:00Z"}
    record = JobRecord(new_job_id(), "T", "default", NOW, NOW, state=State.RUNNING, attempt=1)
    return {**write_record(record), "attempts": [attempt]}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything in a document."""
    inner: Any = ()
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
    below = [place for key, item in inner for place in places(item, (*path, key))]
    return [path, *below] if path else below


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return a good record's document with another value at one place."""
    document = whole_record()
    target: Any = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return document


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=40)  # of each kind; `make fuzz` reads thousands
@given(data=st.data())
def test_any_document_is_read_or_said_to_be_unreadable(kind: type, data: st.DataObject) -> None:
    document = data.draw(plain_documents(kind))

    try:
        value: Any = documents.read(document, kind, "key")
    except UnreadableDocumentError:
        return
    assert documents.read(documents.write(value), kind) == value


@given(plain_documents(JobRecord))
def test_any_control_document_is_read_or_said_to_be_unreadable(document: dict[str, Any]) -> None:
    _read(document)


@given(st.sampled_from(places(whole_record())), values)
def test_a_good_record_with_one_foreign_value_is_read_or_said_to_be_unreadable(
    path: tuple[Any, ...], value: Any
) -> None:
    _read(changed(path, value))


def _read(document: dict[str, Any]) -> None:
    try:
        record = read_record(document)
    except UnreadableDocumentError:
        return
    assert read_record(jsontext.loads(jsontext.dumps(write_record(record)))) == record


@pytest.mark.parametrize("missing", ["uuid", "type", "queue", "createdTime", "changedTime"])
def test_a_record_without_what_it_needs_says_what(missing: str) -> None:
    document = whole_record()
    del document[missing]

    with pytest.raises(UnreadableDocumentError, match=missing):
        read_record(document)


def test_a_running_job_without_an_attempt_is_no_record() -> None:
    document = {**whole_record(), "attempts": []}

    with pytest.raises(UnreadableDocumentError, match="no attempt"):
        read_record(document)


def test_a_deeply_nested_document_is_not_too_much() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(UnreadableDocumentError):
        documents.read({"attempt": deep}, documents.Progress)
