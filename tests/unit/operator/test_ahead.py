"""Workers are ready before delayed jobs fall due: as many as those need, no sooner than needed."""

from dataclasses import replace

import pytest

from zerog_operator.ahead import EARLY_SECONDS, Due, depth_of_due, slots_for_due
from zerog_operator.model import (
    Decision,
    Observation,
    QueueReading,
    WorkerPod,
    Workers,
    WorkerState,
)
from zerog_operator.pool import PoolSpec, Scaling, StopPolicy
from zerog_operator.scaling import EXPECTED_POD_START_SECONDS, History, decide

BY_DEPTH = Scaling(target_start_seconds=None, jobs_per_worker=1, scale_down_delay_seconds=0)
BY_TARGET = Scaling(target_start_seconds=10, expected_job_seconds=30, scale_down_delay_seconds=0)
SPEC = PoolSpec("media", max_replicas=100, scaling=BY_DEPTH)
#: When pods are created for what falls due at 0.
LEAD = EXPECTED_POD_START_SECONDS + EARLY_SECONDS


def look(
    now: float,
    due: tuple[float, ...] | None,
    spec: PoolSpec = SPEC,
    *,
    pods: tuple[WorkerPod, ...] = (),
    delayed: int = 99,
    history: History | None = None,
) -> tuple[Decision, History]:
    reading = QueueReading(time=now, server="s", delayed=delayed)
    return decide(spec, Observation(reading, Workers(pods), due=due), history or History(), now)


def ready_pods(count: int, start_seconds: float = 5.0) -> tuple[WorkerPod, ...]:
    made = -1000.0
    return tuple(
        WorkerPod(f"w{n}", f"w{n}", "1", made, WorkerState.READY, SPEC.template_hash,
                  scheduled_since=made, ready_since=made + start_seconds)
        for n in range(count)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("now", "due", "created"),
    [
        # A pod that is created now would be ready too early, or just in time.
        (-LEAD - 0.1, (0.0,), 0),
        (-LEAD + 0.1, (0.0,), 1),
        (-LEAD + 0.1, (0.0, 0.0, 0.0), 3),
        # Only what is due within that time.
        (-LEAD + 0.1, (0.0, 0.05, 5.0), 2),
        # What beanstalkd has not noticed yet, and what it has long since.
        (0.5, (0.0,), 1),
        (1.5, (0.0,), 0),
        # Unknown asks for nothing.
        (-1.0, None, 0),
        (-1.0, (), 0),
    ],
)
def test_pods_are_created_as_long_before_as_they_take_to_start(
    now: float, due: tuple[float, ...] | None, created: int
) -> None:
    decision, _ = look(now, due)

    assert decision.create == created


def test_a_measured_start_moves_the_moment() -> None:
    _, history = look(-600.0, None, pods=ready_pods(5, start_seconds=90.0))

    early, _ = look(-93.0, (0.0,) * 7, history=history)
    in_time, _ = look(-91.0, (0.0,) * 7, history=history)

    assert (early.replicas, in_time.replicas) == (0, 7)
    assert "7 delayed and due before a new pod would be ready" in in_time.reason


def test_workers_that_are_ready_stay_for_what_falls_due() -> None:
    _, history = look(-61.0, None, pods=ready_pods(5))
    far, _ = look(-60.0, (0.0,) * 3, pods=ready_pods(5), history=history)
    ours, _ = look(-3.0, (0.0,) * 3, pods=ready_pods(5), history=history)

    assert (ours.create, ours.tokens_to_put) == (0, 2)
    assert far.tokens_to_put == 5


def test_a_pod_that_starts_sooner_than_those_before_it_stays_for_what_it_was_made_for() -> None:
    _, history = look(-600.0, None, pods=ready_pods(1, start_seconds=25.0))
    made, history = look(-26.0, (0.0,), history=history)

    soon = tuple(replace(pod, uid="new", created=-26.0, scheduled_since=-26.0, ready_since=-25.5)
                 for pod in ready_pods(1))  # fmt: skip
    kept, _ = look(-25.0, (0.0,), pods=soon, history=history)

    assert kept.rates.pod_start_seconds < 1
    assert (made.create, kept.replicas, kept.tokens_to_put) == (1, 1, 0)


def test_entries_that_are_not_in_the_queue_are_not_waited_for() -> None:
    assert look(-1.0, (0.0,) * 9, delayed=2)[0].create == 2
    assert look(-1.0, (0.0,) * 9, delayed=0)[0].create == 0


def test_bounds_and_stop_policies_hold() -> None:
    due = (0.0,) * 9

    assert look(-1.0, due, replace(SPEC, max_replicas=4))[0].create == 4
    assert look(-1.0, due, replace(SPEC, stop_policy=StopPolicy.DRAIN))[0].create == 0
    assert look(-1.0, due, replace(SPEC, stop_policy=StopPolicy.HOLD))[0].create == 0
    assert look(-1.0, due, replace(SPEC, slots=4))[0].create == 3


def test_a_pool_with_a_target_creates_what_the_target_asks_for() -> None:
    spec = replace(SPEC, scaling=BY_TARGET)
    short = replace(SPEC, scaling=replace(BY_TARGET, expected_job_seconds=1.0))

    assert look(-1.0, (0.0,) * 18, spec)[0].create == 18
    # Each starts one at once and one a second within eight: two of ten are for chance.
    assert look(-1.0, (0.0,) * 18, short)[0].create == 2


@pytest.mark.parametrize(
    ("due", "busy", "job_seconds", "needed"),
    [
        ([], 3, 5.0, 0),
        # All at once: one job each, and one more of those that end in time.
        ([(10, 12)], 0, 30.0, 12),
        ([(10, 12)], 0, 8.0, 6),
        # A stream: as many as keep up, not one for each.
        ([(float(n), 1) for n in range(24)], 0, 4.0, 3),
        # Two bursts, far enough apart for the same slots.
        ([(0, 6), (60, 6)], 0, 20.0, 6),
        ([(0, 6), (5, 6)], 0, 20.0, 12),
        # What runs is half done then, or will run for longer.
        ([(10, 4)], 4, 20.0, 6),
        ([(0, 4)], 4, 1000.0, 8),
        ([(60, 4)], 4, 20.0, 4),
    ],
)
def test_the_densest_stretch_counts(
    due: list[tuple[float, int]], busy: int, job_seconds: float, needed: int
) -> None:
    found = slots_for_due([Due(*each) for each in due], busy, job_seconds, 10.0)

    assert found == needed


@pytest.mark.parametrize(
    ("due", "busy", "job_seconds", "depth"),
    [
        ([], 3, 5.0, 0),
        ([(10, 12)], 0, 30.0, 12),
        ([(float(n), 1) for n in range(24)], 0, 4.0, 4),
        ([(0, 6), (60, 6)], 0, 20.0, 6),
        ([(0, 4)], 4, 1000.0, 8),
        ([(60, 4)], 4, 20.0, 4),
    ],
)
def test_the_depth_is_what_there_will_be_at_once(
    due: list[tuple[float, int]], busy: int, job_seconds: float, depth: int
) -> None:
    assert depth_of_due([Due(*each) for each in due], busy, job_seconds) == depth


def test_a_thousand_due_times_are_looked_at_in_groups() -> None:
    times = tuple(n * LEAD / 1000 for n in range(1000))

    decision, _ = look(0.0, times, delayed=1000)

    assert decision.replicas == SPEC.max_replicas
    assert "1000 delayed" in decision.reason
