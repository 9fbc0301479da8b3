"""What keeps a decision from being what the load asks for, each limit by itself, over time."""

from dataclasses import replace
from typing import Any

import pytest

from zerog_operator.creation import BACKOFF, BURST, PER_SECOND
from zerog_operator.model import (
    Decision,
    LimitedBy,
    Observation,
    QueueReading,
    WorkerPod,
    Workers,
    WorkerState,
)
from zerog_operator.pool import PoolSpec, Scaling, StopPolicy
from zerog_operator.scaling import History, decide

BY_DEPTH = Scaling(target_start_seconds=None, jobs_per_worker=1, scale_down_delay_seconds=0)
BY_TARGET = Scaling(target_start_seconds=10, scale_down_delay_seconds=0, expected_job_seconds=5)


class Pool:
    """A pool whose pods do what they are told at once: made ones start, deleted ones are gone."""

    def __init__(self, scaling: Scaling = BY_DEPTH, **spec: Any) -> None:
        self.spec = PoolSpec("media", scaling=scaling, **{"max_replicas": 10, **spec})
        self.pods: dict[str, WorkerPod] = {}
        self.now = 1000.0
        self._history = History()

    def add(self, count: int, state: WorkerState = WorkerState.READY, **words: Any) -> None:
        """Let there be so many more pods."""
        for _ in range(count):
            name = f"pod-{len(self.pods)}-{self.now}"
            template = self.spec.template_hash
            self.pods[name] = WorkerPod(name, name, "1", self.now, state, template, **words)

    def become(self, state: WorkerState, **words: Any) -> None:
        """Let all pods be in a state."""
        self.pods = {
            name: replace(pod, state=state, **words) for name, pod in self.pods.items()
        }  # fmt: skip

    def change(self, **spec: Any) -> None:
        """Change the pool."""
        self.spec = replace(self.spec, **spec)

    def look(self, seconds: float = 1.0, **queue: int) -> Decision:
        """Let time pass, decide, and do it."""
        self.now += seconds
        reading = QueueReading(time=self.now, server="s", **queue)
        observation = Observation(reading, Workers(tuple(self.pods.values())))
        decision, self._history = decide(self.spec, observation, self._history, self.now)
        for pod in decision.delete:
            del self.pods[pod.name]
        self.add(decision.create, WorkerState.STARTING)
        return decision


def test_a_burst_has_a_budget_that_fills_up_again() -> None:
    pool = Pool(max_replicas=1000)

    first = pool.look(ready=500)
    second = pool.look(ready=500)
    later = pool.look(3.0, ready=500)

    assert (first.create, first.limited_by) == (BURST, LimitedBy.CREATION_BUDGET)
    assert second.create == PER_SECOND
    assert later.create == 3 * PER_SECOND
    assert first.replicas == 500
    assert f"500 wanted, {BURST} created now" in first.reason


def test_a_whole_burst_gets_there_within_its_budget() -> None:
    pool = Pool(max_replicas=1000)
    pool.look(ready=500)

    for _ in range(40):
        decision = pool.look(ready=500)

    assert len(pool.pods) == 500
    assert decision.limited_by is None


@pytest.mark.parametrize(
    ("running", "wanted"),
    [
        (20, 20),
        (19, 20),  # one of twenty less is not worth a scale-down
        (18, 18),  # a tenth is
        (0, 0),
    ],
)
def test_small_changes_downwards_are_not_followed(running: int, wanted: int) -> None:
    pool = Pool(max_replicas=50)
    pool.add(20)
    pool.look(reserved=20)

    decision = pool.look(reserved=running)

    assert decision.replicas == wanted
    assert ("20 stay, so small a difference" in decision.reason) is (running == 19)


def test_small_changes_upwards_are_followed() -> None:
    pool = Pool(max_replicas=50)
    pool.add(20)
    pool.look(reserved=20)

    assert pool.look(reserved=20, ready=1).replicas == 21


@pytest.mark.parametrize(
    ("scaling", "queue", "wanted"),
    [
        (BY_DEPTH, {}, 2),
        (BY_DEPTH, {"reserved": 3}, 5),
        (BY_DEPTH, {"reserved": 3, "ready": 4}, 9),
        (BY_TARGET, {}, 2),
        (BY_TARGET, {"reserved": 3}, 5),
        (BY_DEPTH, {"reserved": 9}, 10),  # spares are within maxReplicas
    ],
)
def test_spare_workers_are_beyond_those_that_the_load_needs(
    scaling: Scaling, queue: dict[str, int], wanted: int
) -> None:
    pool = Pool(replace(scaling, min_idle=2))
    pool.add(3)
    # The first look keeps what runs, whatever the load.
    pool.look(**queue)

    assert pool.look(**queue).replicas == wanted


@pytest.mark.parametrize(
    ("load", "there"),
    [({"ready": 9}, 3), ({}, 3), ({"reserved": 3}, 3)],
)
def test_hold_keeps_the_number_whatever_the_load(load: dict[str, int], there: int) -> None:
    pool = Pool(stop_policy=StopPolicy.HOLD)
    pool.add(there)

    for _ in range(5):
        decision = pool.look(**load)

    assert decision.changes_nothing
    assert (decision.replicas, decision.limited_by) == (there, LimitedBy.STOP_POLICY)


def test_hold_replaces_a_worker_that_is_gone_and_does_not_roll_out() -> None:
    pool = Pool(stop_policy=StopPolicy.HOLD)
    pool.add(3)
    pool.look()

    pool.pods.popitem()
    assert pool.look().create == 1
    pool.become(WorkerState.READY)
    pool.change(drain_timeout_seconds=7)  # another template

    assert pool.look().changes_nothing


def test_drain_starts_nobody_lets_everybody_finish_and_takes_tokens_back() -> None:
    pool = Pool(stop_policy=StopPolicy.DRAIN)
    pool.add(2)
    ready = set(pool.pods)
    pool.add(2, WorkerState.STARTING)

    decision = pool.look(ready=9, reserved=2, tokens=1)

    assert decision.create == 0
    assert {pod.name for pod in decision.retire} == ready
    assert {pod.state for pod in decision.delete} == {WorkerState.STARTING}
    assert decision.tokens_to_take == 1
    assert (decision.replicas, decision.limited_by) == (0, LimitedBy.STOP_POLICY)


def test_a_pool_that_is_released_from_hold_follows_its_load_again() -> None:
    pool = Pool(stop_policy=StopPolicy.HOLD)
    pool.add(2)
    pool.look(ready=5)

    pool.change(stop_policy=StopPolicy.NONE)

    assert pool.look(ready=5).replicas == 5


def test_pods_that_do_not_come_are_tried_one_at_a_time_at_growing_intervals() -> None:
    pool = Pool()
    pool.look(ready=5)
    pool.become(WorkerState.NOT_COMING, reason="ImagePullBackOff", message="as it says")
    made_at = []

    for _ in range(200):
        if pool.look(ready=5).create:
            made_at.append(pool.now)
            # The new one fares no better.
            pool.become(WorkerState.NOT_COMING, reason="ImagePullBackOff")
    pauses = [later - sooner for sooner, later in zip(made_at, made_at[1:], strict=False)]

    assert len(pool.pods) == 5
    assert len(made_at) <= 6
    assert pauses[0] >= BACKOFF.first_seconds
    assert all(later > sooner for sooner, later in zip(pauses, pauses[1:], strict=False))


def test_the_first_one_that_comes_ends_the_backing_off() -> None:
    pool = Pool()
    pool.look(ready=5)
    pool.become(WorkerState.NOT_COMING, reason="ImagePullBackOff")
    assert pool.look(ready=5).limited_by is LimitedBy.BACKOFF
    name = next(iter(pool.pods))
    pool.pods = {name: replace(pool.pods[name], state=WorkerState.READY, reason="")}

    assert pool.look(ready=5, reserved=1).create == 5


def test_a_worker_that_took_a_token_before_it_was_seen_ready_is_no_failure() -> None:
    pool = Pool()
    pool.look(ready=1)
    pool.become(WorkerState.ENDING, reason="Completed")

    decision = pool.look(ready=3)

    assert (decision.create, decision.limited_by) == (3, None)


@pytest.mark.parametrize("scaling", [BY_DEPTH, BY_TARGET])
def test_a_worker_that_drains_or_does_not_answer_is_never_deleted(scaling: Scaling) -> None:
    pool = Pool(scaling)
    pool.add(3, WorkerState.RETIRING)
    pool.change(drain_timeout_seconds=7)  # another template

    for _ in range(3):
        decision = pool.look(reserved=3)

    assert decision.delete == ()
    assert decision.retiring == 3


def test_short_jobs_that_one_worker_has_claimed_at_once_do_not_need_a_worker_each() -> None:
    pool = Pool(BY_TARGET, max_replicas=50)
    pool.add(1)

    for second in range(60):
        # A hundred jobs a second of some milliseconds each, claimed sixteen at a time.
        done = 100 * second
        decision = pool.look(reserved=16, total=done + 16, deleted=done)

    # It is never idle, so that a second one is due, and no more.
    assert decision.replicas == 2
