"""What is measured of a queue: the length of jobs."""

import pytest

from zerog_operator.history import QueueHistory, follow
from zerog_operator.model import QueueReading
from zerog_operator.rates import measure_job_time, seen_to_end


def watch(starts: list[float], job_seconds: float, until: float, slots: int = 100) -> QueueHistory:
    """Return what a look a second shows of jobs that begin at these times."""
    history = QueueHistory()
    for second in range(int(until) + 1):
        begun = sum(start <= second for start in starts)
        ended = sum(start + job_seconds <= second for start in starts)
        reading = QueueReading(
            float(second), reserved=begun - ended, total=begun, deleted=ended, server="s"
        )
        history = follow(history, reading, slots)
    return history


def test_a_batch_that_ends_at_once_is_not_taken_for_short_jobs() -> None:
    # All fifty end within a second: a window that began just before would see only that second.
    history = watch([10.0] * 50, 40.0, until=100)

    assert measure_job_time(history, 30.0).seconds == pytest.approx(40.0, rel=0.05)


def test_a_load_that_ends_is_not_taken_for_short_jobs() -> None:
    history = watch([float(start) for start in range(10, 400)], 40.0, until=440)

    assert measure_job_time(history, 30.0).seconds == pytest.approx(40.0, rel=0.1)


def test_new_jobs_of_another_length_are_believed_soon() -> None:
    starts = [float(start) for start in range(5, 300)]
    long = watch(starts, 20.0, until=300)
    newest = long.last
    assert newest is not None
    history = long
    for second in range(301, 420):
        # From here on one job a second takes two seconds; the last long ones end meanwhile.
        left = max(0, 320 - second)
        reading = QueueReading(
            float(second), reserved=left + 2, total=second, deleted=second - left - 2, server="s"
        )
        history = follow(history, reading, 100)

    assert measure_job_time(history, 30.0).seconds < 4.0


def test_nothing_is_believed_where_that_is_asked_for() -> None:
    history = watch([1.0, 1.0], 8.0, until=20)

    assert measure_job_time(history, None).seconds == pytest.approx(8.0, rel=0.15)
    assert measure_job_time(QueueHistory(), None).jobs == 0


def test_ends_are_counted_over_the_time_that_shows_more_of_them() -> None:
    # Two jobs a second end, since three seconds; a while ago none did.
    begun = watch([10.0 + number / 2 for number in range(40)], 10.0, until=23)
    # One job a second ended until three seconds ago.
    ended = watch([float(start) for start in range(40)], 10.0, until=53)

    assert seen_to_end(begun, 23.0) == pytest.approx(7 / 5)
    assert seen_to_end(ended, 53.0) == pytest.approx(26 / 30)
    assert seen_to_end(QueueHistory(), 0.0) is None
