"""A node that runs worker pods as real processes: what a kubelet does, as far as it matters here.

Pending pods get a process with the pod's own environment; its ready file makes the pod ready; its
exit ends the pod; a deleted pod gets SIGTERM. There are no images, no limits and no network of
the pod's own.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx

from .conftest import Stage

LOOK_SECONDS = 0.1


class RealWorkers:
    """Runs a stage's worker pods on a thread of its own."""

    def __init__(self, stage: Stage, folder: Path, **env: str) -> None:
        self._stage, self._folder, self._env = stage, folder, env
        self._processes: dict[str, tuple[dict[str, Any], subprocess.Popen[bytes], Path]] = {}
        self._ready: set[str] = set()
        self._told: set[str] = set()
        self._stopping = threading.Event()
        self.started = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End everything."""
        self._stopping.set()
        self._thread.join(30)
        for _, process, _ in self._processes.values():
            process.kill()
            process.wait(10)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            with contextlib.suppress(httpx.HTTPError):
                self._look()

    def _look(self) -> None:
        pods = {pod["metadata"]["uid"]: pod for pod in self._stage.pods()}
        for uid, pod in pods.items():
            if uid not in self._processes and pod["status"]["phase"] == "Pending":
                self._start(uid, pod)
        for uid, (pod, process, ready) in list(self._processes.items()):
            code = process.poll()
            if code is not None:
                del self._processes[uid]
                if uid in pods:
                    phase = "Succeeded" if code == 0 else "Failed"
                    self._stage.play(pod, {"phase": phase})
            elif uid not in pods and uid not in self._told:
                self._told.add(uid)
                process.send_signal(signal.SIGTERM)
            elif ready.exists() and uid in pods and uid not in self._ready:
                self._ready.add(uid)
                self._play_ready(pod)

    def _play_ready(self, pod: dict[str, Any]) -> None:
        condition = {"type": "Ready", "status": "True",
                     "lastTransitionTime": pod["metadata"]["creationTimestamp"]}  # fmt: skip
        self._stage.play(pod, {"phase": "Running", "conditions": [condition]})

    def _start(self, uid: str, pod: dict[str, Any]) -> None:
        name = pod["metadata"]["name"]
        ready = self._folder / f"{name}.ready"
        env = {item["name"]: item["value"] for item in pod["spec"]["containers"][0]["env"]
               if "value" in item}  # fmt: skip
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "zerog", "worker"],
                env={**os.environ, **env, **self._env, "ZEROG_NAME": name, "ZEROG_POD": name,
                     "ZEROG_READY_FILE": str(ready)},
                stdout=log, stderr=subprocess.STDOUT, process_group=0,
            )  # fmt: skip
        self.started += 1
        self._processes[uid] = (pod, process, ready)
