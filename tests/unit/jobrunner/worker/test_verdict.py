"""What the end of a run means for its job."""

import pytest

from zerog.child.handle import ChildDeath
from zerog.model import events
from zerog.worker.verdict import Stop, describe_exit, verdict

STATE = '{"n":1}'
DEATH = ChildDeath(-9, None, 0)


@pytest.mark.parametrize(
    "end",
    [events.Returned(1, data="x"), events.Continued(1, 5.0), events.Invalid(1, "no such field")],
)
@pytest.mark.parametrize("stop", [None, *Stop])
def test_a_result_that_came_first_stands(end: events.RunEnd, stop: Stop | None) -> None:
    assert verdict(end, 1, stop) is end


def test_an_exception_is_an_error() -> None:
    end = events.Raised(1, "ValueError: no")

    assert verdict(end, 1, None) is end


@pytest.mark.parametrize("end", [events.Raised(1, "x", state=STATE), events.Stopped(1, STATE)])
def test_an_exception_on_the_way_out_of_a_stopped_run_is_the_stops_doing(
    end: events.RunEnd,
) -> None:
    assert verdict(end, 1, Stop.CANCEL) == events.AttemptCancelled(1)
    assert verdict(end, 1, Stop.TIMEOUT) == events.AttemptTimedOut(1, STATE)
    assert verdict(end, 1, Stop.INTERRUPT) == events.Interrupted(1, "its worker had to stop", STATE)


def test_a_job_that_raises_cancelled_by_itself_has_failed() -> None:
    assert isinstance(verdict(events.Stopped(1), 1, None), events.Raised)


def test_a_dead_process_is_a_crash() -> None:
    event = verdict(DEATH, 3, None)

    assert event == events.Crashed(3, "the job's process died: signal 9 (SIGKILL)", False)


def test_a_process_that_was_killed_for_memory_says_so() -> None:
    event = verdict(ChildDeath(-9, True, 0), 3, None)

    assert event == events.Crashed(3, "the job's process was killed: out of memory", True)


def test_the_reason_of_a_death_is_told_where_it_is_known() -> None:
    event = verdict(ChildDeath(-9, None, 0, "the job's process sent nonsense"), 1, None)

    assert event == events.Crashed(1, "the job's process sent nonsense", False)


@pytest.mark.parametrize("stop", Stop)
def test_a_process_that_its_worker_ended_is_no_crash(stop: Stop) -> None:
    assert not isinstance(verdict(DEATH, 1, stop), events.Crashed)


@pytest.mark.parametrize(
    ("code", "text"), [(0, "exit code 0"), (3, "exit code 3"), (-11, "signal 11 (SIGSEGV)"),
                       (-250, "signal 250")],
)  # fmt: skip
def test_an_exit_code_is_described_in_words(code: int, text: str) -> None:
    assert describe_exit(code) == text
