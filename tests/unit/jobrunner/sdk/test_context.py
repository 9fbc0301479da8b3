"""What a job's reports become, and their bounds."""

import asyncio
import math
import pickle
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zerog
from zerog.model.documents import LogLine
from zerog.model.limits import (
    MAX_LINE_CHARS,
    MAX_LINE_DATA_BYTES,
    MAX_LOG_BYTES,
    MAX_LOG_LINES,
)
from zerog.sdk.context import Context, checked_state, close, final_state, log_end

#: How the refusal of a value without a JSON form begins, whichever layer sees it.
JSON_COMPLAINT = "JSON|is a dict"


def plain(raw: Any) -> Any:
    """Return the value of a JSON text."""
    return None if raw is None else msgspec.json.decode(raw)


class Tape:
    """A channel that keeps what it is given."""

    def __init__(self) -> None:
        self.progressed: list[float] = []
        self.events: list[LogLine] = []
        self.states: list[dict[str, Any]] = []
        self.is_cancelled = False
        self.lock = threading.RLock()

    def progress(self, completeness: float) -> None:
        self.progressed.append(completeness)

    def line(self, line: LogLine) -> None:
        self.events.append(line)

    def save_state(self, state: str) -> None:
        self.states.append(plain(state))

    def cancelled(self) -> bool:
        return self.is_cancelled


def make(**how: Any) -> tuple[Context, Tape]:
    tape = Tape()
    return Context(tape, uuid="0190-x", **how), tape


@given(st.floats(allow_nan=False))
def test_completeness_stays_between_0_and_1(value: float) -> None:
    ctx, tape = make()

    ctx.set_completeness(value)

    assert 0.0 <= tape.progressed[0] <= 1.0
    assert tape.progressed[0] == min(1.0, max(0.0, value))


def test_a_completeness_that_is_no_number_is_refused() -> None:
    ctx, tape = make()

    with pytest.raises(ValueError, match="not a number"):
        ctx.set_completeness(math.nan)
    assert tape.progressed == []


def test_completeness_may_go_back() -> None:
    ctx, tape = make()

    ctx.set_completeness(0.5)
    ctx.add_to_completeness(-0.25)

    assert tape.progressed == [0.5, 0.25]
    assert ctx.completeness == 0.25


def test_ticks_are_counted_against_their_total() -> None:
    ctx, tape = make()

    ctx.set_ticks(4)
    ctx.tick()
    ctx.tick(2)
    ctx.tick(5)

    assert tape.progressed == [0.25, 0.75, 1.0]


def test_a_tick_without_a_total_is_refused() -> None:
    ctx, _ = make()

    with pytest.raises(ValueError, match="set_ticks"):
        ctx.tick()


@pytest.mark.parametrize("total", [0, -1])
def test_a_total_below_one_tick_is_refused(total: int) -> None:
    ctx, _ = make()

    with pytest.raises(ValueError, match="at least 1"):
        ctx.set_ticks(total)


def test_completeness_follows_a_tracked_loop() -> None:
    ctx, tape = make()

    assert list(ctx.track("abcd")) == list("abcd")

    assert tape.progressed == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_a_tracked_generator_needs_a_total_to_show() -> None:
    ctx, tape = make()

    assert list(ctx.track(iter("ab"))) == ["a", "b"]
    assert tape.progressed == []

    assert list(ctx.track(iter("ab"), total=2)) == ["a", "b"]
    assert tape.progressed == [0.0, 0.5, 1.0]


def test_tracking_nothing_is_harmless() -> None:
    ctx, _ = make()

    assert list(ctx.track([])) == []


def test_a_loop_that_is_left_early_is_not_complete() -> None:
    ctx, tape = make()

    for item in ctx.track([1, 2, 3, 4]):
        if item == 2:
            break

    assert tape.progressed[-1] < 1.0


async def test_an_asynchronous_iterable_is_tracked_too() -> None:
    ctx, tape = make()

    async def letters() -> AsyncIterator[str]:
        for letter in "ab":
            await asyncio.sleep(0)
            yield letter

    assert [letter async for letter in ctx.track(letters(), total=2)] == ["a", "b"]
    assert tape.progressed == [0.0, 0.5, 1.0]


def test_a_cancel_ends_a_tracked_loop_between_items() -> None:
    ctx, tape = make()
    seen: list[int] = []

    def run() -> None:
        for item in ctx.track(range(10)):
            seen.append(item)
            tape.is_cancelled = item == 2

    with pytest.raises(zerog.Cancelled):
        run()
    assert seen == [0, 1, 2]


def test_check_raises_only_after_a_cancel() -> None:
    ctx, tape = make()
    ctx.check()
    tape.is_cancelled = True

    assert ctx.cancelled
    with pytest.raises(zerog.Cancelled):
        ctx.check()


def test_except_exception_does_not_swallow_a_cancel() -> None:
    assert not issubclass(zerog.Cancelled, Exception)
    assert not issubclass(zerog.TimedOut, Exception)


def test_log_lines_have_level_time_and_rising_numbers() -> None:
    ctx, tape = make()
    before = datetime.now(UTC)

    ctx.info("one", size=3)
    ctx.warning("two")
    ctx.error("three", nested={"a": [1, None]})

    assert [(e.level, e.message) for e in tape.events] == [
        ("info", "one"),
        ("warning", "two"),
        ("error", "three"),
    ]
    assert [e.seq for e in tape.events] == [0, 1, 2]
    assert plain(tape.events[0].data) == {"size": 3}
    assert tape.events[1].data is None
    assert plain(tape.events[2].data) == {"nested": {"a": [1, None]}}
    assert abs(tape.events[0].time - before) < timedelta(minutes=1)


def test_a_long_message_is_cut_visibly() -> None:
    ctx, tape = make()

    ctx.info("x" * (MAX_LINE_CHARS + 1))

    message = tape.events[0].message
    assert len(message) < MAX_LINE_CHARS + 50
    assert message.endswith(f"({MAX_LINE_CHARS + 1} characters)")


def test_a_message_of_the_largest_size_is_whole() -> None:
    ctx, tape = make()

    ctx.info("x" * MAX_LINE_CHARS)

    assert tape.events[0].message == "x" * MAX_LINE_CHARS


def test_a_message_with_a_lone_surrogate_is_mended() -> None:
    ctx, tape = make()

    ctx.info("bad \udcff name")

    assert tape.events[0].message == "bad \\udcff name"


def test_a_message_that_is_no_text_is_written_as_text() -> None:
    ctx, tape = make()

    ctx.error(ValueError("so it was"))
    ctx.info(b"\xff")

    assert [line.message for line in tape.events] == ["ValueError: so it was", "b'\\xff'"]


@pytest.mark.parametrize(
    "value", [object(), math.nan, math.inf, "\udcff"], ids=["object", "nan", "inf", "surrogate"]
)
def test_data_without_a_json_form_is_refused_where_it_is_given(value: object) -> None:
    ctx, tape = make()

    with pytest.raises(ValueError, match=JSON_COMPLAINT):
        ctx.info("see", value=value)
    assert tape.events == []


def test_lines_beyond_the_bound_are_counted_and_the_log_says_so() -> None:
    ctx, tape = make()

    for number in range(MAX_LOG_LINES + 100):
        ctx.info(str(number))
    close(ctx)

    *lines, full, dropped = tape.events
    assert [line.message for line in lines] == [str(n) for n in range(MAX_LOG_LINES)]
    assert full.level == "warning"
    assert f"at most {MAX_LOG_LINES} lines" in full.message
    assert dropped.message == "100 lines were dropped"


def test_bytes_beyond_the_bound_are_counted_and_the_log_says_so() -> None:
    ctx, tape = make()

    for _ in range(1000):
        ctx.info("x", rows="y" * (MAX_LINE_DATA_BYTES - 100))
    close(ctx)

    written = sum(len(line.data) for line in tape.events if line.data is not None)
    assert MAX_LOG_BYTES * 0.95 < written <= MAX_LOG_BYTES
    assert tape.events[-1].message == f"{1000 - len(tape.events) + 2} lines were dropped"


def test_a_log_that_is_not_full_ends_without_a_note() -> None:
    ctx, tape = make()

    ctx.info("one")
    close(ctx)

    assert len(tape.events) == 1


def test_why_a_job_failed_is_written_into_a_full_log() -> None:
    ctx, tape = make()
    for _ in range(MAX_LOG_LINES + 1):
        ctx.info("x")

    log_end(ctx, "ValueError: it broke", "ü\n" * 100_000)
    close(ctx)

    assert tape.events[-2].message == "ValueError: it broke"
    assert plain(tape.events[-2].data)["traceback"].startswith("ü")
    assert tape.events[-1].message == "1 lines were dropped"


def test_data_that_is_too_large_is_cut_and_its_line_says_how_much() -> None:
    ctx, tape = make()

    ctx.info("rows", rows="x" * 17_000_000)
    ctx.info("next")

    assert tape.events[0].data is None
    assert tape.events[0].message.startswith("rows (17000011 bytes of data cut")
    assert tape.events[1].message == "next"


def test_a_line_is_never_longer_than_its_bound() -> None:
    ctx, tape = make()

    ctx.info("x" * 17_000_000, rows="x" * 17_000_000)

    assert len(tape.events[0].message) <= MAX_LINE_CHARS + 100


def test_a_message_whose_text_cannot_be_made_is_described() -> None:
    class Evil:
        def __str__(self) -> str:
            raise RuntimeError("evil")

    ctx, tape = make()

    ctx.info(Evil())

    assert tape.events[0].message == "<Evil without a text: its __str__ raised RuntimeError>"


def test_data_may_be_called_message() -> None:
    ctx, tape = make()

    ctx.info("text", message=1, self=2)

    assert plain(tape.events[0].data) == {"message": 1, "self": 2}


def test_a_context_is_of_no_use_after_the_run() -> None:
    ctx, tape = make()
    close(ctx)

    for use in (ctx.save_state, ctx.check, lambda: ctx.info("x"), lambda: ctx.set_completeness(1)):
        with pytest.raises(RuntimeError, match="after run has ended"):
            use()
    assert (tape.events, tape.states, tape.progressed) == ([], [], [])


def test_a_context_cannot_be_pickled() -> None:
    ctx, _ = make()

    with pytest.raises(TypeError, match="only the job's own process reports"):
        pickle.dumps(ctx)


@pytest.mark.parametrize("state", [None, {}, {"a": [1, {"b": None}]}])
def test_an_unchanged_state_is_not_sent_again(state: dict[str, Any] | None) -> None:
    ctx, _ = make(state=state)

    assert final_state(ctx) is None


def empty_by_clear(ctx: Context) -> None:
    ctx.state.clear()


def empty_by_assignment(ctx: Context) -> None:
    ctx.state = {}


def empty_by_deletion(ctx: Context) -> None:
    del ctx.state


def empty_by_key(ctx: Context) -> None:
    del ctx.state["row"]


@pytest.mark.parametrize(
    "empty", [empty_by_clear, empty_by_assignment, empty_by_deletion, empty_by_key]
)
def test_a_state_can_be_emptied(empty: Callable[[Context], None]) -> None:
    ctx, _ = make(state={"row": 1})

    empty(ctx)

    assert plain(final_state(ctx)) == {}


def test_a_state_that_was_saved_on_the_way_is_sent_again_at_the_end() -> None:
    ctx, _ = make(state={"row": 1})
    ctx.state["row"] = 2
    ctx.save_state()
    ctx.state["row"] = 1

    assert plain(final_state(ctx)) == {"row": 1}


@pytest.mark.parametrize("state", [None, [1], "text"])
def test_a_state_is_a_dict(state: Any) -> None:
    ctx, _ = make()

    with pytest.raises(TypeError, match=r"ctx\.state is a dict"):
        ctx.state = state


def test_a_saved_state_is_a_copy() -> None:
    ctx, tape = make(state={"row": 1})

    ctx.save_state()
    ctx.state["row"] = 2
    ctx.save_state()

    assert tape.states == [{"row": 1}, {"row": 2}]


def test_a_state_of_more_than_64_kib_is_refused() -> None:
    ctx, tape = make()
    ctx.state["big"] = "x" * 65536

    with pytest.raises(ValueError, match="65536"):
        ctx.save_state()
    assert tape.states == []


def test_a_state_of_just_64_kib_is_kept() -> None:
    state = {"b": "x" * (65536 - len('{"b":""}'))}

    assert checked_state(state) == state


@pytest.mark.parametrize("state", [{"x": object()}, {"x": math.nan}, [1], "text", None])
def test_a_state_that_is_no_json_object_is_refused(state: Any) -> None:
    with pytest.raises(ValueError, match=JSON_COMPLAINT):
        checked_state(state)


def test_seconds_left_counts_down_to_the_deadline() -> None:
    ctx, _ = make(deadline=datetime.now(UTC) + timedelta(seconds=100))

    left = ctx.seconds_left

    assert left is not None
    assert 90 < left <= 100


def test_without_a_timeout_there_is_no_deadline() -> None:
    ctx, _ = make()

    assert ctx.deadline is None
    assert ctx.seconds_left is None


def test_a_context_knows_its_attempt_and_uuid() -> None:
    ctx, _ = make(attempt=3)

    assert (ctx.attempt, ctx.uuid) == (3, "0190-x")
    assert ctx.logger.name.startswith("zerog")


def test_a_hundred_thousand_ticks_are_cheap() -> None:
    ctx, tape = make()
    ctx.set_ticks(100_000)

    def ticks() -> Iterator[None]:
        for _ in range(100_000):
            ctx.tick()
            yield

    # Of this process alone: whatever else the machine does costs nothing here.
    started = time.process_time()
    for _ in ticks():
        pass

    # A guard against work that grows with each tick, not a benchmark: it takes some 60 ms.
    assert time.process_time() - started < 3
    assert tape.progressed[-1] == 1.0
