"""The log of the API: a line that repeats itself is written once a second."""

import logging

from zerog_api.repeats import Repeats


def record(message: str, *args: object, name: str = "zerog_api") -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, __file__, 1, message, args, None)


def test_a_line_that_repeats_itself_is_left_out_and_counted() -> None:
    now = 100.0
    repeats = Repeats(lambda: now)

    written = [repeats.filter(record("%s is away", path)) for path in ("/a", "/b", "/c")]
    assert written == [True, False, False]
    assert repeats.filter(record("another"))
    now += 1.5
    again = record("%s is away", "/d")
    assert repeats.filter(again)
    assert again.getMessage() == "/d is away (and 2 more like it)"


def test_the_audit_log_counts_for_itself() -> None:
    repeats = Repeats(lambda: 100.0)

    assert all(repeats.filter(record("%s", "x", name="zerog.audit")) for _ in range(3))


def test_memory_is_bounded() -> None:
    repeats = Repeats(lambda: 100.0)
    for number in range(5000):
        assert repeats.filter(record(f"a text that another library made: {number}"))

    assert len(repeats._seen) == 1000
