"""The log of a process: JSON records, and jobs that write more than is read."""

import io
import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest

from zerog import logs


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Let the log of this process go into a pipe; return the end to read from."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    stream = io.TextIOWrapper(io.FileIO(writer, "w"), write_through=True)
    root = logging.Logger("root")
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(logging, "root", root)
    logs.configure("json")
    yield reader
    stream.close()
    os.close(reader)


def write(name: str, text: str, **fields: Any) -> None:
    record = logging.LogRecord(name, logging.INFO, "", 0, text, (), None)
    record.fields = fields
    logging.root.handle(record)


def read(pipe: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in os.read(pipe, 1 << 20).splitlines()]


def test_a_record_is_an_object_with_its_fields(pipe: int) -> None:
    write("zerog.audit", "ada from here: \u2028", caller="ada")

    (record,) = read(pipe)
    assert record.pop("time").endswith("+00:00")
    assert record == {
        "level": "info", "logger": "zerog.audit", "message": "ada from here: \u2028",
        "caller": "ada",
    }  # fmt: skip


@pytest.mark.parametrize("size", [1000, 4096, 9000])
def test_jobs_that_write_more_than_is_read_hold_up_nothing_and_are_counted(
    pipe: int, size: int
) -> None:
    for _ in range(1000):
        write(logs.JOBS, "x" * size, job="1")
    written = read(pipe)
    write(logs.JOBS, "after", job="1", message="after")
    write(logs.JOBS, "last", job="1")

    after, last = read(pipe)
    assert len(written) + after["leftOut"] == 1000
    assert after["message"] == "after"
    assert "leftOut" not in last
