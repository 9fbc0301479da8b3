"""Operator and workers killed between any two of their steps: nothing is lost, nobody is stopped.

A proxy holds the call that makes the step, before it has reached the server or after the server
has done it; then the process is killed. Calls are the only steps that leave a trace: between two
of them a kill is the same wherever it falls.
"""

import signal
from collections.abc import Callable, Iterator

import pytest

from zerog_tools.cluster.local_node import LocalNode
from zerog_tools.cluster.process import signal_marked, wait_until

from ..api_proxy import ApiCall, ApiProxy
from ..conftest import DEADLINE_SECONDS
from ..proxy import Trap
from ..queue_proxy import QueueCall, QueueProxy
from .conftest import POOL, Works

#: For a trap: the load that leads to the step is there.
STEP_SECONDS = 60.0
BUSY_SECONDS = 2.0


class Killed:
    """An operator behind proxies, killed in the middle of its steps and started again."""

    def __init__(self, works: Works, *, after: bool) -> None:
        self.works, self._after = works, after
        stage = works.stage
        self._api, self._queue = ApiProxy(stage.cluster), QueueProxy(stage.beanstalkd.port)
        account = stage.cluster.kubeconfig_of("zerog-operator", stage.namespace)
        self._kubeconfig = self._api.kubeconfig(account)

    def start(self) -> None:
        """Start an operator."""
        self.works.start_operator(KUBECONFIG=str(self._kubeconfig), ZEROG_QUEUE=self._queue.address)

    def trap_api(self, fits: Callable[[ApiCall], bool]) -> Trap[ApiCall]:
        """Be ready for a call to the API server."""
        return self._api.trap(fits, after=self._after)

    def trap_queue(self, fits: Callable[[QueueCall], bool]) -> Trap[QueueCall]:
        """Be ready for a command to the queue."""
        return self._queue.trap(fits, after=self._after)

    def kill_in(
        self, trap: Trap[ApiCall] | Trap[QueueCall], load: Callable[[], None] | None = None
    ) -> None:
        """Kill the operator when it is held, and let another one go on.

        The load that leads there is made again if all is done and nothing was caught: on a slow
        machine a worker may come too late for it.
        """
        while load is not None and not trap.sprung:
            load()
            wait_until(lambda: trap.sprung or self.works.is_idle(), STEP_SECONDS, "all is done")
        trap.wait(STEP_SECONDS)
        self.works.kill_operator()
        self.start()

    def close(self) -> None:
        """End the proxies, after who uses them."""
        self.works.stage.kill_operators()
        self._api.close()
        self._queue.close()


@pytest.fixture(params=[False, True], ids=["before-the-server", "after-the-server"])
def killed(works: Works, request: pytest.FixtureRequest) -> Iterator[Killed]:
    """An operator that is killed before or after the server has done a step."""
    made = Killed(works, after=request.param)
    try:
        yield made
    finally:
        made.close()


def is_token(call: QueueCall) -> bool:
    return call.verb == "put" and call.tube.startswith("zerog-retire.")


def is_name(call: QueueCall) -> bool:
    return call.verb == "put" and call.tube.startswith("zerog-mailbox.")


def is_taken_back(call: QueueCall) -> bool:
    return call.verb == "delete" and call.of_token


def creates_worker(call: ApiCall) -> bool:
    return call.on("POST", "pods") and '"zerog.dev/role": "worker"' in call.body


def deletes_pod(call: ApiCall) -> bool:
    return call.method == "DELETE" and "/pods/" in call.path


def patches_status(call: ApiCall) -> bool:
    return call.on("PATCH", "status")


def test_scaling_survives_a_kill_at_each_step(killed: Killed) -> None:
    works, stage = killed.works, killed.works.stage

    def load() -> None:
        # In the end two workers have a job each, and nothing waits: one would be enough.
        works.submit(4, BUSY_SECONDS)

    def load_that_returns() -> None:
        load()
        wait_until(lambda: stage.tokens(POOL) or works.is_idle(), STEP_SECONDS, "a token")
        works.submit(6, 0.1)

    scaling = {"jobsPerWorker": 2, "scaleDownDelaySeconds": 0}
    killed.start()
    works.apply(maxReplicas=3, scaling=scaling)
    works.wait_for_types()

    created = killed.trap_api(creates_worker)
    killed.kill_in(created, load)
    killed.kill_in(killed.trap_api(patches_status))
    killed.kill_in(killed.trap_queue(is_token), load)
    killed.kill_in(killed.trap_queue(is_taken_back), load_that_returns)
    killed.kill_in(killed.trap_api(deletes_pod))

    works.wait_until_done()
    works.check()


def test_a_rollout_survives_a_kill_at_each_step(killed: Killed) -> None:
    works, stage = killed.works, killed.works.stage
    killed.start()
    works.apply(minReplicas=2, maxReplicas=2)
    works.wait_for_types()
    wait_until(
        lambda: stage.status(POOL).get("readyReplicas") == 2 or None, STEP_SECONDS, "two workers"
    )
    old = {pod["metadata"]["uid"] for pod in stage.pods()}
    works.submit(8, BUSY_SECONDS)

    described = killed.trap_api(lambda call: call.on("POST", "pods"))
    works.apply(version=2, minReplicas=2, maxReplicas=2)
    killed.kill_in(described)

    killed.kill_in(killed.trap_api(creates_worker))
    killed.kill_in(killed.trap_queue(is_name))
    killed.kill_in(killed.trap_api(deletes_pod))

    wait_until(
        lambda: not old & {pod["metadata"]["uid"] for pod in stage.pods()} or None,
        2 * DEADLINE_SECONDS,
        "all are new",
    )
    works.wait_until_done()
    works.apply(version=2, minReplicas=0, maxReplicas=2)
    works.check()


def test_a_worker_that_is_killed_while_it_retires_comes_back_and_retires_again(
    works: Works, local_node: LocalNode
) -> None:
    stage = works.stage
    queue = QueueProxy(stage.beanstalkd.port)
    try:
        works.start_operator(ZEROG_WORKER_QUEUE=queue.address)
        works.apply(maxReplicas=1)
        works.wait_for_types()
        for trap in (
            queue.trap(lambda call: call.verb == "reserved" and call.of_token, after=True),
            queue.trap(is_taken_back, after=False),
            queue.trap(is_taken_back, after=True),
        ):
            works.submit(1, 0.1)
            trap.wait(STEP_SECONDS)
            kill_all_workers(local_node, stage.namespace)
            stage.wait_for_pods(0, seconds=2 * DEADLINE_SECONDS)
        for version, after in ((2, False), (3, True)):
            kill_while_it_obeys_its_name(works, local_node, queue, version, after=after)
        works.wait_until_done()
        works.check()
    finally:
        queue.close()


def kill_while_it_obeys_its_name(
    works: Works, node: LocalNode, queue: QueueProxy, version: int, *, after: bool
) -> None:
    """Kill a worker that is replaced by a new version, before or after its name is gone."""
    stage = works.stage
    works.apply(version - 1, minReplicas=1, maxReplicas=1)
    (old,) = stage.wait_for_pods(1)
    # One that is not ready yet is not told by its name: it is deleted.
    wait_until(lambda: stage.status(POOL).get("readyReplicas") == 1, STEP_SECONDS, "it is ready")
    trap = queue.trap(is_taken_back, after=after)
    works.apply(version, minReplicas=1, maxReplicas=1)
    trap.wait(STEP_SECONDS)

    kill_all_workers(node, stage.namespace)

    def replaced() -> bool:
        pods = [pod["metadata"]["uid"] for pod in stage.pods()]
        return len(pods) == 1 and old["metadata"]["uid"] not in pods

    wait_until(replaced, 2 * DEADLINE_SECONDS, "it is replaced all the same")
    works.apply(version, minReplicas=0, maxReplicas=1)


def kill_all_workers(node: LocalNode, namespace: str) -> None:
    """Kill the processes of all workers, as the kernel would."""
    # One that was faster than we are has ended: then nothing is killed.
    signal_marked(f"{node.folder}/pods/{namespace}_{POOL}-", signal.SIGKILL)
