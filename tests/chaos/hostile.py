"""What the fuzzer throws: numbers, times, texts and documents that nobody should write.

All of it comes from one generator of random numbers, so that a seed repeats a run.
"""

import copy
import json
import random
import re
from collections.abc import Iterator
from typing import Any

#: JSON that Python's writer does not write: it stands in a text between two marks.
_RAW = re.compile(r'"@@([^"@]*)@@"')
NUMBERS: list[Any] = [
    -1, 0, 1, 2**31, 2**32, 2**53, 2**63, 2**64, 10**40, -(2**64), 1e308, -1e308, 5e-324, 5e9, 0.5,
    "@@1e999@@", "@@-1e999@@", "@@NaN@@", f"@@{'9' * 400}@@", f"@@{'9' * 5000}@@", "@@1e-999@@",
]  # fmt: skip
OTHERS: list[Any] = [
    None, True, "", "nan", "1e400", "9" * 50, "../x", "zerog.EVIL;$(x)", "\u0000", [], {}, [[[]]],
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00",
    "@@[[[[[[[[[[[[[[1]]]]]]]]]]]]]]@@", "x" * 5000,
]  # fmt: skip
NOT_DOCUMENTS = [b"", b"{", b"[]", b"null", b"5", b"\xff\xfe", b"[" * 5000, b'{"uuid": "\\ud800"}']
SECONDS = [
    "2**32", "5e9", "1e308", "-1", "nan", "inf", "10**40", "Decimal('1e50')", "Decimal('NaN')",
    "Decimal('sNaN')", "Fraction(10**40)", "Fraction(-1, 3)", "'5'", "b'5'", "True", "None",
    "timedelta.max", "timedelta.min", "[]", "1j", "366 * 86400",
]  # fmt: skip
CODES = ["10**40", "2**64", "-1", "nan", "200.5", "'200'", "True", "None", "Decimal(200)", "10000"]
SIGNALS = [
    *[f"Retry({value})" for value in SECONDS],
    *[f"Continue({value})" for value in SECONDS],
    *[f"Finish({value})" for value in CODES],
    *[f"Result(1, {value})" for value in CODES],
    "nan", "inf", "[1e308 * 10]", "10**5000", "2**64", "{'x': Decimal('Infinity')}",
]  # fmt: skip
#: Signals and the fields that are set after they were made: past every check of theirs.
FORCED = [
    *[("Retry(1)", f"delay_seconds={value}") for value in SECONDS],
    *[("Continue(1)", f"delay_seconds={value}") for value in SECONDS],
    *[("Finish(200)", f"code={value}") for value in CODES],
    *[("Result(1)", f"code={value}") for value in CODES],
]
_END = {"op": "end", "run": "$RUN", "spoiled": None, "rssBytes": 1}
FRAMES: list[dict[str, Any]] = [
    {"op": "progress", "run": "$RUN", "completeness": 0.5},
    {"op": "line", "run": "$RUN", "seq": 0, "time": "2026-01-01T00:00:00Z", "level": "info",
     "message": "m", "data": '{"x":1}'},
    {"op": "state", "run": "$RUN", "state": '{"x":1}'},
    {**_END, "end": {"event": "returned", "attempt": 1, "code": 200, "data": {"x": 1}}},
    {**_END, "end": {"event": "continued", "attempt": 1, "delaySeconds": 1.0}},
    {**_END, "end": {"event": "raised", "attempt": 1, "message": "m", "retrySeconds": 1.0}},
    {**_END, "end": {"event": "stopped", "attempt": 1, "state": '{"x":1}'}},
]  # fmt: skip


class Hostile:
    """A source of hostile things."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def value(self) -> Any:
        """Return a value that should not be where it is put: most often a number."""
        # A copy: the next change may be made inside of it.
        return copy.deepcopy(self.random.choice(NUMBERS if self.random.random() < 0.7 else OTHERS))

    def number_text(self) -> str:
        """Return a hostile number as JSON."""
        return to_text(self.random.choice(NUMBERS))

    def body(self, document: Any) -> bytes:
        """Return a document with something wrong in it, or something that is no document."""
        if self.random.random() < 0.1:
            return self.random.choice(NOT_DOCUMENTS)
        changed = json.loads(json.dumps(document))
        for _ in range(self.random.choice([1, 1, 2])):
            places = list(_places(changed))
            if places:
                parent, name = self.random.choice(places)
                if self.random.random() < 0.15:
                    del parent[name]
                else:
                    parent[name] = self.value()
        return to_text(changed).encode("utf-8", "surrogatepass")

    def document(self, sample: Any) -> bytes:
        """Return a document with something wrong in it: in its values or in its bytes."""
        if self.random.random() < 0.3:
            return self.damaged(to_text(sample).encode())
        return self.body(sample)

    def damaged(self, data: bytes) -> bytes:
        """Return bytes of which some are added, lost, repeated or others."""
        changed = bytearray(data)
        for _ in range(self.random.choice([1, 1, 1, 2, 4])):
            start = self.random.randrange(len(changed) + 1)
            end = start + self.random.randrange(1, 9)
            new = self.random.choice([
                b"", 2 * changed[start:end], self.random.randbytes(end - start),
                self.number_text().encode(), b'"', b"}", b"\r\n", b"\\ud800", b"\x00",
            ])  # fmt: skip
            changed[start : self.random.choice([start, end])] = new
        return bytes(changed)

    def some(self, items: list[Any], count: int) -> list[Any]:
        """Return some of many."""
        return self.random.sample(items, min(count, len(items)))


def to_text(value: Any) -> str:
    """Write JSON, and what only looks like it."""
    return _RAW.sub(r"\1", json.dumps(value))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    names = value.keys() if isinstance(value, dict) else range(len(value))
    for name in list(names):
        yield value, name
        if isinstance(value[name], dict | list):
            yield from _places(value[name])
