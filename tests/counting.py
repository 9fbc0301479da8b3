"""Counts what a piece of work costs, in figures that do not depend on the machine."""

import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import tornado
from tests.queue.memory import MemoryQueue

import zerog
import zerog_api
from zerog.queue.port import Entry
from zerog.store.sqlite import schema

#: How far a count may be from what is kept: more than it ever differs between two runs. Which
#: writes share a transaction depends on the writer's thread, too.
_MARGINS = {"calls": 0.02, "statements": 0.1, "transactions": 0.2, "commands": 0.02}
_FOLDERS = tuple(str(Path(str(package.__file__)).parent) for package in (zerog, zerog_api, tornado))


def within_margins(kept: dict[str, float]) -> dict[str, Any]:
    """Return what equals counts that are near enough to what is kept."""
    return {name: pytest.approx(count, rel=_MARGINS[name]) for name, count in kept.items()}


@contextmanager
def counting_calls(found: Counter[str]) -> Iterator[None]:
    """Count the calls of Python functions of ZeroG and Tornado in this thread; each turn of a
    coroutine is one."""

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(_FOLDERS):
            found["calls"] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)


def count_statements(monkeypatch: pytest.MonkeyPatch, found: Counter[str]) -> None:
    """Count the statements of each SQLite file that is opened from now on: its transactions, and
    all others."""
    connect = schema.connect

    def note(statement: str) -> None:
        match statement.split(" ", 1)[0]:
            case "BEGIN":
                found["transactions"] += 1
            case "COMMIT" | "PRAGMA":
                pass
            case _:
                found["statements"] += 1

    def counted(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.set_trace_callback(note)
        return connection

    monkeypatch.setattr(schema, "connect", counted)


class CountedQueue(MemoryQueue):
    """Counts the commands that beanstalkd would get."""

    def __init__(self, found: Counter[str]) -> None:
        super().__init__()
        self._found = found

    def _reach(self) -> None:
        self._found["commands"] += 1
        super()._reach()

    async def reserve_ready(self, count: int) -> list[Entry]:
        self._found["commands"] += count - 1
        return await super().reserve_ready(count)
