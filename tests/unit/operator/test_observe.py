"""What a look sees: of one moment, by a clock that never jumps, with what stands from before."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerog_operator import names
from zerog_operator.conditions import build_status
from zerog_operator.creation import BACKOFF
from zerog_operator.describe import RETRY_SECONDS
from zerog_operator.inventory import Inventory
from zerog_operator.model import Decision, QueueReading, Refusal, Unknown, Workers, WorkerState
from zerog_operator.observe import JUMP_SECONDS, Clock, Look, Sources, observe
from zerog_operator.pods import LATE_SECONDS
from zerog_operator.pool import PoolSpec, Scaling
from zerog_operator.queuefacts import QueueFacts
from zerog_operator.reconcile import remember
from zerog_operator.resources import PoolIdentity
from zerog_operator.scaling import History, decide

HOUR = 3600.0
MEDIA = PoolIdentity("team", "media", "u-media")
BY_DEPTH = Scaling(target_start_seconds=None, jobs_per_worker=1, scale_down_delay_seconds=60)
BY_TARGET = Scaling(target_start_seconds=10, scale_down_delay_seconds=60, expected_job_seconds=5)


class Pool:
    """A pool under a clock that a test moves, looked after as `PoolLoop` does."""

    def __init__(self, scaling: Scaling, ready: int = 0, *, check_images: bool = False) -> None:
        self.spec = PoolSpec("media", max_replicas=20, scaling=scaling)
        self.wall, self._steady = 1_800_000_000.0, 0.0
        self.clock = Clock(lambda: self.wall, lambda: self._steady)
        self.inventory = Inventory()
        self.inventory.complete.set()
        self.history = History()
        self._queue: dict[str, Any] = {}
        tubes: Any = SimpleNamespace(read=self._read)
        #: When delayed jobs fall due, by the wall clock.
        self.due: tuple[float, ...] = ()
        upcoming: Any = SimpleNamespace(times=lambda *_: self.due)
        facts = QueueFacts(kept=False)
        self._sources = Sources(self.inventory, tubes, facts, upcoming, self.clock, check_images)
        for number in range(ready):
            self.add(f"w{number}", ready=True)

    async def _read(self, *_: str) -> QueueReading:
        return QueueReading(time=self.clock.now(), server="s", **self._queue)

    def add(self, name: str, *, ready: bool = False, role: str = "worker", **status: Any) -> None:
        """Let there be a pod, stamped with the time by the wall clock."""
        stamp = datetime.fromtimestamp(self.wall, UTC).isoformat()
        if ready:
            status["conditions"] = [
                {"type": "Ready", "status": "True", "lastTransitionTime": stamp}
            ]
        labels = {
            names.POOL_LABEL: "media",
            names.ROLE_LABEL: role,
            names.TEMPLATE_LABEL: self.spec.template_hash,
        }
        owner = {"kind": names.KIND, "apiVersion": "zerog.dev/v1", "uid": MEDIA.uid,
                 "controller": True}  # fmt: skip
        metadata = {"name": name, "uid": name, "namespace": "team", "resourceVersion": "1",
                    "creationTimestamp": stamp, "labels": labels,
                    "ownerReferences": [owner]}  # fmt: skip
        self.inventory.put({"metadata": metadata, "spec": {}, "status": status}, watched=True)

    def see(self, seconds: float = 1.0, *, jump: float = 0.0, **queue: Any) -> Look:
        """Let time pass, and the wall clock jump, and the operator look."""
        self.wall += seconds + jump
        self._steady += seconds
        self._queue = queue
        self.inventory.note_answer(time.monotonic())
        return asyncio.run(observe(self._sources, MEDIA, self.spec, self.history))

    def look(
        self,
        seconds: float = 1.0,
        *,
        jump: float = 0.0,
        refusal: Refusal | None = None,
        **queue: Any,
    ) -> Decision:
        """Look and decide; a pod that is created is refused with this."""
        look = self.see(seconds, jump=jump, **queue)
        decision, history = decide(self.spec, look.observation, self.history, look.time)
        asked = decision.create or look.check.start
        self.history = remember(history, self.spec, look, decision, refusal if asked else None)
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
    assert pool.look(refusal=refused, ready=1).create == 1
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


def test_a_clock_that_is_slewed_has_not_jumped() -> None:
    pool = Pool(BY_DEPTH)

    pool.see(60, jump=JUMP_SECONDS / 2)
    assert pool.clock.ahead() == 0.0

    pool.see(1, jump=50)
    assert pool.clock.ahead() == pytest.approx(-50 - JUMP_SECONDS / 2)


@pytest.mark.parametrize("jump", [-HOUR, 0.0, HOUR])
def test_pods_that_come_after_a_jump_have_the_right_age(jump: float) -> None:
    pool = Pool(BY_DEPTH)
    pool.see(jump=jump)
    pool.add("new")

    states = []
    for seconds in (1.0, LATE_SECONDS):
        workers = pool.see(seconds).observation.workers
        assert isinstance(workers, Workers)
        states.append(workers.pods[0].state)

    assert states == [WorkerState.STARTING, WorkerState.NOT_COMING]


def test_figures_from_before_a_jump_back_are_replaced() -> None:
    pool = Pool(BY_DEPTH, ready=1)

    def status(before: dict[str, Any], **queue: Any) -> dict[str, Any]:
        look, decision = pool.see(**queue), Decision(1, "one")
        return build_status(
            pool.spec, look.observation, decision, before, generation=1, now=pool.wall
        )

    before = status({}, ready=1)

    assert status(before, jump=-HOUR, ready=2)["queue"]["ready"] == 2


def test_while_the_pods_are_unknown_what_was_refused_stands() -> None:
    pool = Pool(BY_DEPTH)
    refused = Refusal("QuotaExceeded", "no")
    pool.look(refusal=refused, ready=1)
    pool.inventory.complete.clear()

    look = pool.see(ready=1)

    assert isinstance(look.observation.workers, Unknown)
    assert look.observation.refusal == refused


def test_another_template_begins_without_refusals() -> None:
    pool = Pool(BY_DEPTH)
    pool.look(refusal=Refusal("PodInvalid", "no"), ready=1)

    pool.spec = replace(pool.spec, slots=2)

    assert pool.see(ready=1).observation.refusal is None


def test_no_worker_is_created_while_the_pod_that_checks_the_image_is_refused() -> None:
    pool = Pool(BY_DEPTH, check_images=True)
    refused = Refusal("PodInvalid", "unknown field", final=True)

    for _ in range(3):
        assert pool.look(refusal=refused, ready=5).create == 0
        look = pool.see(ready=5)
        assert look.check.start
        assert look.observation.refusal == refused


def test_a_failed_check_stands_until_the_next_one_has_begun() -> None:
    pool = Pool(BY_DEPTH, check_images=True)
    pool.add("check", role="describe", phase="Failed")
    pool.look()
    assert pool.see(RETRY_SECONDS + 1).check.remove != ()
    pool.look()

    pool.inventory.end_list(None, set(), 2)

    look = pool.see()
    assert look.check.start
    assert look.observation.refusal is not None
    assert look.observation.refusal.reason == "DescribeFailed"


def test_due_times_are_moved_to_the_clock_of_the_look() -> None:
    pool = Pool(BY_DEPTH)
    pool.due = (pool.wall + HOUR + 61,)

    look = pool.see(1.0, jump=HOUR)

    assert look.observation.due == (look.time + 60,)
    assert look.observation.ahead_seconds == -HOUR
