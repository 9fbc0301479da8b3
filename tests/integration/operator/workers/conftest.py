"""A whole ZeroG on a real control plane: operator, API, queue, and real workers as pods.

The pods' commands run as processes of this machine (`zerog_tools.cluster.local_node`), started,
probed, asked to end and restarted as a kubelet does it. There are no images and no limits.
"""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from zerog.client import Client
from zerog.model.names import tube_name
from zerog.worker.endings import NOT_BEGUN
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.local_node import LocalNode
from zerog_tools.cluster.node.image import Image
from zerog_tools.cluster.ports import free_port
from zerog_tools.cluster.process import wait_until

from ...path.conftest import JOBS
from ..conftest import DEADLINE_SECONDS, Stage, build_pool

IMAGE = "acme.invalid/jobs:1"
POOL = "media"
#: The default queue, for which the tests' job types are made.
QUEUE = "default"


@pytest.fixture(scope="session")
def cluster(local_node: LocalNode) -> ControlPlane:
    """The cluster in which `namespace` is: one whose pods run."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    # Also where the sources are in another place than those that are installed.
    sources = os.environ.get("PYTHONPATH", "")
    local_node.add_image(IMAGE, Image(env={"PATH": path, "PYTHONPATH": sources}))
    return local_node.cluster


@pytest.fixture(scope="session")
def control_plane(cluster: ControlPlane) -> ControlPlane:
    """The same, for `stage`; the one of the other tests may be in use, too."""
    return cluster


class Works:
    """A running ZeroG; the test starts the operator and applies a pool."""

    def __init__(self, stage: Stage, node: LocalNode, folder: Path) -> None:
        self.stage, self.node = stage, node
        self.store = f"sqlite:///{folder / 'zerog.db'}"
        #: Every job that has run to its end leaves a line here.
        self.ran = folder / "ran"
        self.ran.touch()
        self.hold = folder / "hold"
        #: Jobs that shall succeed, in their first attempt.
        self.uuids: list[str] = []
        self._unfinished: list[str] = []
        self.port = port = free_port()
        self.client = Client(f"http://127.0.0.1:{port}", retry_seconds=DEADLINE_SECONDS)
        queue = stage.beanstalkd.address
        stage.start_server("api", "--port", str(port), ZEROG_STORE=self.store, ZEROG_QUEUE=queue)

    def start_operator(self, **env: str) -> None:
        """Start an operator, which also lets the image be described."""
        queue = self.stage.beanstalkd.address
        values: dict[str, Any] = {"ZEROG_CHECK_IMAGES": "1", "ZEROG_WORKER_QUEUE": queue, **env}
        self.stage.start_operator(**values)

    def kill_operator(self) -> None:
        """Let it be gone between two of its instructions."""
        self.stage.stop(self.stage.operators[-1], signal.SIGKILL)

    def apply(
        self, version: int = 1, pod: Mapping[str, Any] | None = None, name: str = POOL, **spec: Any
    ) -> None:
        """Apply a pool; another version is another template. `pod` is added to its pods' spec."""
        env = [{"name": "ZEROG_STORE", "value": self.store},
               {"name": "VERSION", "value": str(version)}]  # fmt: skip
        worker = {"name": "worker", "image": IMAGE, "env": env}
        template = {"spec": {"containers": [worker], **(pod or {})}}
        spec = {"queue": QUEUE, "jobs": [str(JOBS)], "template": template, **spec}
        self.stage.apply(build_pool(name, **spec))

    def wait_for_types(self) -> None:
        """Wait until jobs can be submitted."""
        wait_until(
            lambda: self.stage.condition("TypesRegistered").get("status") == "True",
            DEADLINE_SECONDS,
            "the types are registered",
        )

    def submit(self, count: int, seconds: float, *, held: bool = False) -> list[str]:
        """Submit jobs that take so long; held ones go on when the file `hold` is there."""
        steps = max(1, round(seconds / 0.05))
        parameters = {"path": str(self.ran), "steps": steps, "seconds": seconds / steps}
        if held:
            parameters["hold"] = str(self.hold)
        made = [self.client.submit("Steps", parameters) for _ in range(count)]
        self.uuids += made
        self._unfinished += made
        return made

    def state_of(self, uuid: str) -> str:
        """Return a job's state."""
        return str(self.client.progress(uuid)["state"])

    def is_idle(self) -> bool:
        """Whether nothing is to do."""
        stats = self.stage.queue(lambda connection: connection.tube_stats(tube_name(QUEUE)))
        return not stats.entries

    def wait_until_done(self) -> None:
        """Wait until every job has ended."""
        for uuid in self._unfinished:
            self.client.wait(uuid, DEADLINE_SECONDS)
        self._unfinished = []

    def check(self) -> None:
        """Hold that every job has run exactly once, in one attempt, and nobody is left."""
        ends = {uuid: self._ends(uuid) for uuid in self.uuids}
        assert {uuid: [("succeeded", None)] for uuid in self.uuids} == ends
        ran = [line.split()[0] for line in self.ran.read_text().splitlines()]
        assert sorted(ran) == sorted(self.uuids)
        self.stage.wait_for_pods(0, seconds=2 * DEADLINE_SECONDS)
        wait_until(lambda: self.stage.tokens(POOL) == 0, DEADLINE_SECONDS, "no token is left")
        assert "zerog_busy_worker_interrupted_total 0.0" in self.stage.metrics()

    def _ends(self, uuid: str) -> list[tuple[str, str | None]]:
        """Return cause and message of each attempt in which a job was begun."""
        # Of several short jobs that it has claimed a worker gives back those that must wait.
        attempts = self.client.info(uuid)["attempts"]
        ends = [(attempt.get("cause"), attempt.get("message")) for attempt in attempts]
        return [end for end in ends if end != ("interrupted", NOT_BEGUN)]

    def close(self) -> None:
        """Print what the workers said."""
        self.client.close()
        for log in sorted(self.node.folder.glob(f"pods/{self.stage.namespace}_*/*/*.log")):
            print(f"--- {log.parent.parent.name}\n{log.read_text(errors='replace')[-1500:]}")


@pytest.fixture
def works(stage: Stage, local_node: LocalNode, tmp_path: Path) -> Iterator[Works]:
    """A ZeroG in a namespace of its own."""
    made = Works(stage, local_node, tmp_path)
    try:
        yield made
    finally:
        made.close()
