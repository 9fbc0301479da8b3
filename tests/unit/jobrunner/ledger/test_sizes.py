"""What a record takes as objects, however its job fills it. Listings hold many of them."""

import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from zerog.ledger.beside import fits_record
from zerog.ledger.codec import read_record, write_record
from zerog.model import events, jsontext, life
from zerog.model.errors import UnreadableDocumentError
from zerog.model.limits import (
    INLINE_BYTES,
    MAX_MESSAGE_CHARS,
    MAX_PAST_MESSAGE_CHARS,
    MAX_STATE_BYTES,
)
from zerog.model.record import MAX_ATTEMPTS_KEPT, JobRecord, Limits, WorkerIdentity, new_job_id
from zerog.store.patching import as_stored

NOW = datetime.now(UTC)
WORKER = WorkerIdentity("worker-0", "pod-" + "0" * 50, "node-" + "0" * 50, "image-" + "0" * 100)
#: A record, its document and its text, without a state.
MAX_RECORD_BYTES = 300_000
#: A text takes four bytes a character as soon as one of them is not in the basic plane. Its JSON
#: is counted, too.
MAX_OBJECT_BYTES = 6
STATES = [
    jsontext.dumps({"a": [[]] * ((MAX_STATE_BYTES - 7) // 3)}).decode(),
    jsontext.dumps({"a": "\U0001f600" + "x" * (MAX_STATE_BYTES - 20)}).decode(),
]


def retried(message: str) -> JobRecord:
    """Return the record of a job that has failed as often as a record can show."""
    record = JobRecord(new_job_id(), "Mail", "mail", NOW, NOW, limits=Limits(max_errors=100))
    for number in range(1, MAX_ATTEMPTS_KEPT + 2):
        record = life.step(record, events.Claimed(WORKER, number), NOW).record
        record = life.step(record, events.Raised(number, message, 0.0), NOW).record
    return record


def bytes_of(record: JobRecord) -> int:
    """Return what a record takes that was read."""
    body = jsontext.dumps(write_record(record))
    tracemalloc.start()
    try:
        stored = as_stored(body, "1", record.uuid)
        kept = read_record(stored.document, stored.key)
        assert kept == record
        return tracemalloc.get_traced_memory()[0] + len(body)
    finally:
        tracemalloc.stop()


def fill(item: str) -> Any:
    """Return the largest object of such items that a record holds."""
    count = 1
    while fits_record(f'{{"a":[{",".join([item] * count)}]}}'.encode()):
        count += 1
    return jsontext.loads(f'{{"a":[{",".join([item] * (count - 1))}]}}')


@pytest.mark.parametrize("item", ["[]", "{}", '{"":[]}', "300", "1.5", '"ab"'])
@pytest.mark.parametrize("char", ["x", "\u00fc", "\U0001f600"])
def test_the_largest_record_is_small_as_objects(item: str, char: str) -> None:
    value = fill(item)
    record = replace(retried(char * MAX_MESSAGE_CHARS), parameters=value, data=value)

    size = bytes_of(record)

    assert size < MAX_RECORD_BYTES
    for state in STATES:
        more = bytes_of(replace(record, job_state=state)) - size
        assert more < MAX_OBJECT_BYTES * MAX_STATE_BYTES


def test_of_past_attempts_a_record_keeps_the_beginning_of_the_message() -> None:
    record = retried("x" * MAX_MESSAGE_CHARS)

    *past, last = [attempt.message for attempt in record.attempts]

    assert last == record.message == "x" * MAX_MESSAGE_CHARS
    assert set(past) == {"x" * (MAX_PAST_MESSAGE_CHARS - 1) + "\u2026"}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ('{"a":"%s"}' % ("x" * (INLINE_BYTES - 8)), True),
        ('{"a":"%s"}' % ("x" * (INLINE_BYTES - 7)), False),
        ('{"a":[%s]}' % ",".join(["{}"] * 62), True),  # noqa: UP031
        ('{"a":[%s]}' % ",".join(["{}"] * 63), False),  # noqa: UP031
    ],
)
def test_a_value_goes_into_a_record_if_it_is_small_as_text_and_as_objects(
    text: str, fits: bool
) -> None:
    assert fits_record(text.encode()) is fits


def test_a_state_that_is_an_object_is_unreadable() -> None:
    document = write_record(JobRecord(new_job_id(), "Mail", "mail", NOW, NOW))

    with pytest.raises(UnreadableDocumentError, match="jobState"):
        read_record({**document, "jobState": {"a": 1}})
