"""Rollouts over time: pods that come slowly, lists that lag, and what holds meanwhile."""

from dataclasses import replace
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from zerog_operator.model import Observation, QueueReading, WorkerPod, Workers, WorkerState
from zerog_operator.plan import SURGE
from zerog_operator.pool import PoolSpec, Scaling
from zerog_operator.retirement import TELL_AGAIN_SECONDS
from zerog_operator.scaling import History, decide

BY_DEPTH = Scaling(target_start_seconds=None, jobs_per_worker=1, scale_down_delay_seconds=0)


class Rollout:
    """A pool of ready pods whose template has changed, its pods, and a list that lags."""

    def __init__(self, count: int, lag_seconds: float) -> None:
        self.count, self._lag = count, lag_seconds
        before = PoolSpec("media", min_replicas=count, max_replicas=count, scaling=BY_DEPTH)
        self.spec = replace(before, jobs=("acme.new",))
        self.pods: dict[str, WorkerPod] = {}
        #: Uids of pods that were told to retire.
        self.told: set[str] = set()
        self.deleted = 0
        self.now = 100.0
        self._history = History()
        for number in range(count):
            self._add(f"old-{number}", before.template_hash, WorkerState.READY)
        self._lists = [(0.0, tuple(self.pods.values()))]

    @property
    def active(self) -> list[WorkerPod]:
        """Pods that were not told to retire."""
        return [pod for pod in self.pods.values() if pod.uid not in self.told]

    @property
    def starting(self) -> list[WorkerPod]:
        """Pods that are not ready yet."""
        return [pod for pod in self.pods.values() if pod.state is WorkerState.STARTING]

    @property
    def is_done(self) -> bool:
        """Whether all is new and ready."""
        current = [pod for pod in self.pods.values() if pod.template == self.spec.template_hash]
        return len(current) == self.count == len(self.pods) and not self.starting

    def make_ready(self, pod: WorkerPod) -> None:
        """Let a pod be ready."""
        self.pods[pod.uid] = replace(pod, state=WorkerState.READY, ready_since=self.now)

    def finish_told(self) -> None:
        """Let all that were told be gone."""
        for uid in self.told & self.pods.keys():
            del self.pods[uid]

    def look(self, seconds: float) -> None:
        """Let time pass, and the operator look and act."""
        self.now += seconds
        self._lists.append((self.now, tuple(self.pods.values())))
        seen = [pods for when, pods in self._lists if when <= self.now - self._lag][-1]
        observation = Observation(QueueReading(time=self.now, server="s"), Workers(seen))
        decision, self._history = decide(self.spec, observation, self._history, self.now)
        self.told |= {pod.uid for pod in decision.retire}
        for pod in decision.delete:
            # A pod that has changed since is not deleted.
            if self.pods.get(pod.uid) == pod:
                del self.pods[pod.uid]
                self.deleted += 1
        for _ in range(decision.create):
            name = f"new-{self.now}-{len(self.pods)}"
            self._add(name, self.spec.template_hash, WorkerState.STARTING)
        self._lists.append((self.now, tuple(self.pods.values())))

    def _add(self, name: str, template: str, state: WorkerState) -> None:
        self.pods[name] = WorkerPod(name, name, "1", self.now, state, template)


def test_a_new_pod_may_take_its_time_while_the_old_one_works() -> None:
    rollout = Rollout(1, 0)

    for _ in range(60):
        rollout.look(1)

    assert rollout.deleted == 0
    assert [pod.state for pod in rollout.active] == [WorkerState.READY, WorkerState.STARTING]


def test_a_worker_that_has_not_heard_of_its_end_is_told_again() -> None:
    rollout = Rollout(1, 0)
    rollout.look(1)
    (new,) = rollout.starting
    rollout.make_ready(new)
    rollout.look(1)
    assert rollout.told == {"old-0"}
    rollout.told = set()

    rollout.look(1)
    assert rollout.told == set()
    rollout.look(TELL_AGAIN_SECONDS)

    assert rollout.told == {"old-0"}


steps = st.lists(
    st.tuples(st.floats(0.1, 3), st.sampled_from(["nothing", "ready", "finish"]), st.integers(0)),
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 8), st.floats(0, 15), steps)
def test_a_rollout_stays_within_its_surge_and_gets_through_however_late_the_list_is(
    count: int, lag: float, steps: list[tuple[float, str, int]]
) -> None:
    rollout = Rollout(count, lag)

    for seconds, what, which in steps:
        if what == "ready" and rollout.starting:
            rollout.make_ready(rollout.starting[which % len(rollout.starting)])
        elif what == "finish":
            rollout.finish_told()
        rollout.look(seconds)
        assert len(rollout.active) <= count + max(1, ceil(count * SURGE))
        assert len([pod for pod in rollout.active if pod.state is WorkerState.READY]) >= count

    for _ in range(40 * count):
        if rollout.is_done:
            break
        for pod in rollout.starting:
            rollout.make_ready(pod)
        rollout.finish_told()
        rollout.look(1)
        assert len(rollout.active) <= count + max(1, ceil(count * SURGE))
    assert rollout.is_done
