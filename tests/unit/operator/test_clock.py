"""A clock that jumps: nothing is scaled because of it, and nothing waits for the old time."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerog_operator.clock import JUMP_SECONDS, Moment, jump_between, move
from zerog_operator.conditions import build_status
from zerog_operator.creation import BACKOFF
from zerog_operator.model import (
    Decision,
    Observation,
    QueueReading,
    Refusal,
    WorkerPod,
    Workers,
    WorkerState,
)
from zerog_operator.pool import PoolSpec, Scaling
from zerog_operator.scaling import History, decide

HOUR = 3600.0
BY_DEPTH = Scaling(target_start_seconds=None, jobs_per_worker=1, scale_down_delay_seconds=60)
BY_TARGET = Scaling(target_start_seconds=10, scale_down_delay_seconds=60, expected_job_seconds=5)


class Pool:
    """A pool under a clock that a test moves, looked after as `PoolLoop` does."""

    def __init__(self, scaling: Scaling, ready: int) -> None:
        self.spec = PoolSpec("media", max_replicas=20, scaling=scaling)
        template = self.spec.template_hash
        self.pods = tuple(
            WorkerPod(f"w{n}", f"w{n}", "1", 0.0, WorkerState.READY, template, ready_since=1.0)
            for n in range(ready)
        )
        self.now, self._steady = 100 * HOUR, 0.0
        self._history = History()

    def look(
        self,
        seconds: float = 1.0,
        *,
        jump: float = 0.0,
        refusal: Refusal | None = None,
        **queue: Any,
    ) -> Decision:
        """Let time pass, and the clock jump, and the operator look."""
        before = Moment(self.now, self._steady)
        self.now += seconds + jump
        self._steady += seconds
        jumped = jump_between(before, Moment(self.now, self._steady))
        self._history = move(self._history, jumped) if jumped else self._history
        reading = QueueReading(time=self.now, server="s", **queue)
        observation = Observation(reading, Workers(self.pods), refusal)
        decision, self._history = decide(self.spec, observation, self._history, self.now)
        return decision


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
@pytest.mark.parametrize("scaling", [BY_DEPTH, BY_TARGET])
def test_a_jump_does_not_cut_the_delay_of_scaling_down_short(scaling: Scaling, jump: float) -> None:
    pool = Pool(scaling, ready=5)
    pool.look(ready=0, reserved=5)
    assert pool.look(reserved=0).tokens_to_put == 0

    assert pool.look(jump=jump).tokens_to_put == 0
    assert pool.look(30).tokens_to_put == 0
    assert sum(pool.look(10).tokens_to_put for _ in range(6)) > 0


def test_a_jump_back_does_not_let_creation_wait_for_the_old_time() -> None:
    pool = Pool(BY_DEPTH, ready=0)
    refused = Refusal("QuotaExceeded", "no")
    assert pool.look(ready=1).create == 1
    assert pool.look(refusal=refused, ready=1).create == 0

    pool.look(jump=-HOUR, refusal=refused, ready=1)

    looks = [pool.look(5, refusal=refused, ready=1) for _ in range(int(BACKOFF.max_seconds / 5))]
    assert sum(decision.create for decision in looks) > 0


jumps = st.sampled_from([-25 * HOUR, -HOUR, -30.0, -1.0, 0.0, 1.0, 30.0, HOUR, 25 * HOUR])


@settings(max_examples=100, deadline=None)
@given(st.lists(jumps, max_size=12), st.sampled_from([BY_DEPTH, BY_TARGET]))
def test_a_pool_that_is_busy_stays_as_it_is_however_the_clock_jumps(
    leaps: list[float], scaling: Scaling
) -> None:
    pool = Pool(scaling, ready=4)

    for leap in leaps:
        decision = pool.look(jump=leap, reserved=4, total=4)
        assert decision.replicas == 4
        assert decision.changes_nothing


@settings(max_examples=100, deadline=None)
@given(st.lists(jumps, max_size=12))
def test_every_decision_is_as_if_the_clock_had_not_jumped(leaps: list[float]) -> None:
    steady, leaping = Pool(BY_TARGET, ready=4), Pool(BY_TARGET, ready=4)
    done = 0

    for number, leap in enumerate(leaps):
        done += number % 3
        queue: dict[str, Any] = {"reserved": 4, "ready": number * 2, "total": 4 + number * 2 + done}
        expected = steady.look(1, deleted=done, **queue)
        decision = leaping.look(1, jump=leap, deleted=done, **queue)

        assert (decision.replicas, decision.create) == (expected.replicas, expected.create)
        assert decision.rates == expected.rates


def test_a_slow_look_is_no_jump() -> None:
    assert jump_between(Moment(100.0, 5.0), Moment(160.0, 65.0 - JUMP_SECONDS / 2)) == 0.0
    assert jump_between(Moment(100.0, 5.0), Moment(50.0, 6.0)) == pytest.approx(-51.0)


def test_figures_from_before_a_jump_back_are_replaced() -> None:
    pool = Pool(BY_DEPTH, ready=1)

    def status(ready: int, before: dict[str, Any]) -> dict[str, Any]:
        decision = pool.look(ready=ready)
        observation = Observation(QueueReading(time=pool.now, ready=ready), Workers(pool.pods))
        return build_status(pool.spec, observation, decision, before, generation=1, now=pool.now)

    before = status(1, {})
    pool.look(jump=-HOUR)

    assert status(2, before)["queue"]["ready"] == 2
