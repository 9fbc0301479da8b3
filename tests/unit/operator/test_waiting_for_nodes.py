"""Pods that wait for a node are coming: as many as are wanted, none twice, the first stay first."""

from dataclasses import replace
from typing import Any

import pytest

from zerog_operator.creation import BACKOFF
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
BY_TARGET = Scaling(target_start_seconds=10, scale_down_delay_seconds=0)
#: Short jobs: one worker could run several of them within the target.
SHORT = replace(BY_TARGET, expected_job_seconds=1)
WAITING = WorkerState.WAITING_FOR_NODE


class Line:
    """A pool in a cluster without room: pods wait until `take` gives the first ones a node."""

    def __init__(self, scaling: Scaling = BY_DEPTH, **spec: Any) -> None:
        self.spec = PoolSpec("media", scaling=scaling, **{"max_replicas": 500, **spec})
        self.pods: list[WorkerPod] = []
        self.now = 1000.0
        #: Names of pods that were deleted.
        self.deleted: list[str] = []
        self._made = 0
        self._history = History()
        self._total = 0

    @property
    def names(self) -> list[str]:
        return [pod.name for pod in self.pods]

    def look(self, seconds: float = 1.0, **queue: int) -> Decision:
        """Let time pass, decide, and do it."""
        self.now += seconds
        for pod in self.pods:
            if pod.state is WAITING and self.now - pod.created >= self._wait_seconds:
                self.change(pod, state=WorkerState.NOT_COMING)
        reading = QueueReading(time=self.now, server="s", total=self._total, **queue)
        observation = Observation(reading, Workers(tuple(self.pods)))
        decision, self._history = decide(self.spec, observation, self._history, self.now)
        gone = {pod.name for pod in decision.delete}
        self.deleted += gone
        self.pods = [pod for pod in self.pods if pod.name not in gone]
        self.pods += [self._make() for _ in range(decision.create)]
        return decision

    def _make(self) -> WorkerPod:
        self._made += 1
        name = f"pod-{self._made:04}"
        words: Any = {"reason": "Unschedulable", "message": "0/0 nodes are available"}
        return WorkerPod(name, name, "1", self.now, WAITING, self.spec.template_hash, **words)

    def arrive(self, count: int) -> None:
        """Let jobs come, as `total-jobs` counts them."""
        self._total += count

    def take(self, count: int, start_seconds: float = 0.0) -> None:
        """Give the first pods in the line a node now; they are ready after so long."""
        waiting = [pod for pod in self.pods if pod.node is None][:count]
        for pod in waiting:
            self.change(pod, state=WorkerState.READY, node="n", scheduled_since=self.now,
                         ready_since=self.now + start_seconds, reason="", message="")  # fmt: skip
        self.now += start_seconds

    def forget(self) -> None:
        """Let the operator start again."""
        self._history = History()

    @property
    def _wait_seconds(self) -> float:
        return self.spec.scaling.node_wait_seconds

    def change(self, pod: WorkerPod, **changes: Any) -> None:
        """Let a pod be another."""
        self.pods[self.pods.index(pod)] = replace(pod, **changes)


@pytest.mark.parametrize("scaling", [BY_DEPTH, BY_TARGET])
def test_a_step_of_load_without_any_room_gets_all_its_pods_at_once_and_each_once(
    scaling: Scaling,
) -> None:
    line = Line(scaling)
    line.arrive(5)
    for _ in range(10):
        line.look(ready=5)
    assert len(line.pods) == 5
    line.arrive(200)

    decisions = [line.look(ready=205) for _ in range(2)]
    first = line.names
    for _ in range(300):
        decisions.append(line.look(ready=205))

    assert len(first) == 205
    assert line.names == first
    assert {decision.replicas for decision in decisions} == {205}
    assert {decision.limited_by for decision in decisions} == {None}
    assert "205 wait for nodes" in decisions[-1].reason


def test_short_jobs_get_as_many_pods_as_would_be_enough_and_no_more_while_they_wait() -> None:
    line = Line(SHORT)
    line.arrive(200)

    numbers = [line.look(ready=200).replicas for _ in range(120)]

    # As it would be if the nodes were there; later every job is late, and the fewest suffice.
    assert numbers[0] < 200
    assert len(line.pods) == numbers[-1]
    assert line.deleted == [] or numbers[-1] < numbers[0]


def test_when_fewer_are_wanted_the_youngest_in_the_line_go_first() -> None:
    line = Line()
    line.look(ready=5)
    line.look(ready=9)
    before = line.names

    line.look(ready=3)

    assert line.names == before[:3]


def test_pods_that_have_a_node_stay_before_those_in_the_line() -> None:
    line = Line()
    line.look(ready=3)
    old = line.names
    line.change(line.pods[2], state=WorkerState.STARTING, node="n", reason="", message="")

    line.look(ready=1)

    assert line.names == [old[2]]


@pytest.mark.parametrize("reason", ["Unschedulable", "SchedulingGated"])
def test_a_pod_that_waits_too_long_backs_creation_off_and_keeps_its_place(reason: str) -> None:
    line = Line(replace(BY_DEPTH, node_wait_seconds=60))
    line.look(ready=3)
    for pod in list(line.pods):
        line.change(pod, reason=reason)
    before = line.names

    soon = line.look(59, ready=3)
    late = line.look(1, ready=3)
    more = line.look(1, ready=9)
    for _ in range(int(2 * BACKOFF.max_seconds)):
        line.look(1, ready=3)

    assert soon.limited_by is None
    assert late.limited_by is LimitedBy.BACKOFF
    assert more.create == 0
    assert line.names == before
    assert line.deleted == []


def test_what_waited_too_long_is_still_the_first_in_the_line() -> None:
    line = Line(replace(BY_DEPTH, node_wait_seconds=60))
    line.look(ready=3)
    line.look(30, ready=9)
    before = line.names

    line.look(31, ready=5)

    assert line.names == before[:5]


def test_the_first_pod_that_gets_a_node_ends_the_backing_off() -> None:
    line = Line(replace(BY_DEPTH, node_wait_seconds=60))
    line.look(ready=3)
    line.look(60, ready=3)
    assert line.look(ready=9).limited_by is LimitedBy.BACKOFF
    line.take(1)

    assert line.look(ready=9).create == 6


def test_a_pod_in_the_line_serves_nobody_yet() -> None:
    line = Line(replace(BY_DEPTH, jobs_per_worker=4))

    line.look(ready=4)
    line.look(ready=8)

    assert len(line.pods) == 2


def test_pods_of_an_older_template_leave_the_line() -> None:
    line = Line()
    line.look(ready=3)
    old = set(line.names)
    line.spec = replace(line.spec, drain_timeout_seconds=7)

    line.look(ready=3)

    assert len(line.pods) == 3
    assert not old & set(line.names)


def test_a_held_pool_keeps_its_pods_in_the_line() -> None:
    line = Line()
    line.look(ready=3)
    line.spec = replace(line.spec, stop_policy=StopPolicy.HOLD)

    decisions = [line.look(ready=9) for _ in range(5)]

    assert all(decision.changes_nothing for decision in decisions)
    assert {decision.replicas for decision in decisions} == {3}


def test_after_a_restart_of_the_operator_the_line_is_kept_for_the_delay() -> None:
    line = Line(replace(BY_TARGET, scale_down_delay_seconds=60))
    line.arrive(20)
    line.look(ready=20)
    before = line.names
    line.forget()

    for _ in range(50):
        line.look(ready=20)

    assert line.names == before


def test_the_wait_for_nodes_and_the_start_on_them_are_measured_each_for_itself() -> None:
    line = Line()
    line.look(ready=4)
    line.now += 89
    line.take(3, start_seconds=4)

    rates = line.look(ready=4).rates
    reason = line.look(ready=4).reason

    assert (rates.node_wait_seconds, rates.pod_start_seconds) == (89, 4)
    assert reason.endswith("1 waits for a node, which took 89 s lately")


def test_where_nodes_take_long_jobs_with_time_left_get_more_workers_at_once() -> None:
    patient = replace(BY_TARGET, target_start_seconds=300)
    near, far = Line(patient), Line(patient)
    for line, wait in ((near, 0), (far, 120)):
        line.arrive(20)
        line.look(ready=20)
        line.now += wait
        line.take(1, start_seconds=5)
        line.look(ready=0)
        line.arrive(200)

    # What has just come may go on coming; a while later it is known that it does not.
    few, many = [[line.look(ready=200).replicas for _ in range(60)][-1] for line in (near, far)]

    assert few < many < 200


def test_however_long_nodes_take_no_fewer_pods_are_wanted() -> None:
    line = Line()
    line.spec = replace(line.spec, scaling=replace(SHORT, scale_down_delay_seconds=0))
    line.arrive(100)
    line.look(ready=100)
    wanted = line.look(ready=100).replicas
    line.now += 500
    line.take(1, start_seconds=5)

    for _ in range(5):
        decision = line.look(ready=100)

    # One worker alone could do it all in the time that the next node may take.
    assert decision.rates.node_wait_seconds > 500
    assert decision.replicas >= wanted / 2
    assert decision.create == 0
