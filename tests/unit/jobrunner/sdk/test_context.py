"""What a job's reports become, and their bounds."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zerog
from zerog.sdk.context import MAX_LOG_LINES, MAX_MESSAGE_CHARS, Context, checked_state

#: How the refusal of a value without a JSON form begins, whichever layer sees it.
JSON_COMPLAINT = "JSON|expected value|no dict"


class Tape:
    """A channel that keeps what it is given."""

    def __init__(self) -> None:
        self.progressed: list[float] = []
        self.events: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.is_cancelled = False

    def progress(self, completeness: float) -> None:
        self.progressed.append(completeness)

    def event(self, frame: dict[str, Any]) -> None:
        self.events.append(frame)

    def save_state(self, state: dict[str, Any]) -> None:
        self.states.append(state)

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

    assert [(e["level"], e["message"]) for e in tape.events] == [
        ("info", "one"),
        ("warning", "two"),
        ("error", "three"),
    ]
    assert [e["seq"] for e in tape.events] == [0, 1, 2]
    assert tape.events[0]["data"] == {"size": 3}
    assert "data" not in tape.events[1]
    assert tape.events[2]["data"] == {"nested": {"a": [1, None]}}
    assert abs(datetime.fromisoformat(tape.events[0]["time"]) - before) < timedelta(minutes=1)


def test_a_long_message_is_cut_visibly() -> None:
    ctx, tape = make()

    ctx.info("x" * (MAX_MESSAGE_CHARS + 1))

    message = tape.events[0]["message"]
    assert len(message) < MAX_MESSAGE_CHARS + 50
    assert message.endswith(f"({MAX_MESSAGE_CHARS + 1} characters)")


def test_a_message_of_the_largest_size_is_whole() -> None:
    ctx, tape = make()

    ctx.info("x" * MAX_MESSAGE_CHARS)

    assert tape.events[0]["message"] == "x" * MAX_MESSAGE_CHARS


def test_a_message_with_a_lone_surrogate_is_mended() -> None:
    ctx, tape = make()

    ctx.info("bad \udcff name")

    assert tape.events[0]["message"] == "bad ? name"


def test_a_message_that_is_no_text_is_written_as_text() -> None:
    ctx, tape = make()

    ctx.error(ValueError("so it was"))  # type: ignore[arg-type]  # authors do this

    assert tape.events[0]["message"] == "so it was"


@pytest.mark.parametrize(
    "value", [object(), math.nan, math.inf, "\udcff"], ids=["object", "nan", "inf", "surrogate"]
)
def test_data_without_a_json_form_is_refused_where_it_is_given(value: object) -> None:
    ctx, tape = make()

    with pytest.raises(ValueError, match=JSON_COMPLAINT):
        ctx.info("see", value=value)
    assert tape.events == []


def test_lines_beyond_the_bound_are_dropped_and_one_line_says_so() -> None:
    ctx, tape = make()

    for number in range(MAX_LOG_LINES + 100):
        ctx.info(str(number))

    assert len(tape.events) == MAX_LOG_LINES + 1
    assert tape.events[-1]["level"] == "warning"
    assert str(MAX_LOG_LINES) in tape.events[-1]["message"]


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
