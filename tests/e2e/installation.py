"""An installation under test: a pool of naps, and what its workers and jobs do."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zerog_tools.cluster.process import wait_until
from zerog_tools.trial.installation import (
    DEADLINE_SECONDS,
    FILES,
    FOLDER,
    ChartRelease,
    Object,
)

JOBS = Path(__file__).with_name("e2e_jobs.py")
#: For jobs to finish; the call that waits ends before its own deadline.
WAIT_SECONDS = DEADLINE_SECONDS - 10


class Installation(ChartRelease):
    """A release with the tests' own jobs."""

    def add_caller(self, *modules: Path) -> None:
        """Add the caller, and the tests' jobs beside it."""
        super().add_caller(JOBS, *modules)

    def submit(self, count: int, seconds: float) -> list[str]:
        """Submit naps from the caller and return their UUIDs."""
        found: list[str] = self.call("submit", "Nap", str(count), json.dumps({"seconds": seconds}))
        return found

    def wait_for_jobs(self, uuids: Sequence[str], seconds: float = WAIT_SECONDS) -> list[Object]:
        """Wait until jobs are finished and return the `info` of each."""
        found: list[Object] = self.call("wait", str(seconds), *uuids)
        return found

    def submit_to(self, workers: int, count: int, seconds: float) -> list[str]:
        """Have so many workers ready, submit naps, and return them when all workers are busy.

        Workers that started only then could be later than the end of all jobs.
        """
        self.add_pool(minReplicas=workers)
        wait_until(
            lambda: self.pool_status("naps").get("readyReplicas", 0) >= workers,
            DEADLINE_SECONDS,
            f"{workers} workers are ready",
        )
        uuids = self.submit(count, seconds)
        self.wait_for_running(workers)
        return uuids

    def wait_for_running(self, count: int) -> None:
        """Wait until so many workers are busy."""
        wait_until(
            lambda: self.pool_status("naps").get("busy", 0) >= count,
            DEADLINE_SECONDS,
            f"{count} workers are busy",
        )

    def add_pool(self, image: str = "worker", *, pool: str = "naps", **spec: Any) -> None:
        """Add or change a pool of the tests' jobs."""
        container = {
            "name": "worker",
            "image": self.images[image],
            "env": [{"name": "PYTHONPATH", "value": FOLDER}],
            "volumeMounts": [{"name": FILES, "mountPath": FOLDER}],
            **spec.pop("container", {}),
        }
        volumes = [{"name": FILES, "configMap": {"name": FILES}}]
        self.apply(
            {
                "apiVersion": "zerog.dev/v1alpha1",
                "kind": "ZeroGWorkerPool",
                "metadata": {"name": pool},
                "spec": {
                    "jobs": [JOBS.stem],
                    "maxReplicas": 4,
                    "scaling": {"jobsPerWorker": 1, "scaleDownDelaySeconds": 1},
                    "template": {"spec": {"containers": [container], "volumes": volumes}},
                    **spec,
                },
            }
        )
        self.wait_for_types(pool)

    def pool_status(self, name: str) -> Object:
        """Return what the operator says of a pool."""
        found: Object = self.get("zwp", name).get("status", {})
        return found

    def workers(self) -> list[Object]:
        """Return the worker pods that are not about to end."""
        pods: list[Object] = self.get("pods", "-l", "zerog.dev/role=worker")["items"]
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def wait_for_workers(self, count: int) -> None:
        """Wait until there are so many worker pods."""
        wait_until(
            lambda: len(self.workers()) == count, DEADLINE_SECONDS, f"{count} workers are there"
        )

    def logs(self) -> dict[str, str]:
        """Return the logs of every pod, by its name."""
        pods = [pod["metadata"]["name"] for pod in self.get("pods")["items"]]
        return {
            name: self.kubectl("logs", name, "--all-containers", "--ignore-errors", "--tail=-1")
            for name in pods
        }
