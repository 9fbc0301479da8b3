"""One container of a pod as a process of this machine, through all its restarts.

The process leads a session of its own and carries a mark in its environment, so that
everything it has started ends with it, as in a container. It dies with the node agent, as
with a machine. The rules of restarts, back-off, grace and reasons are kubelet's.
"""

import asyncio
import contextlib
import ctypes
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from zerog_tools.cluster.node.api import Object
from zerog_tools.cluster.node.environment import ConfigurationError
from zerog_tools.cluster.node.probe import Health
from zerog_tools.cluster.process import MARK, signal_marked

#: Between two looks for an image or a secret that is missing.
RETRY_SECONDS = 0.5
BACK_OFF_LIMIT_SECONDS = 300.0
#: For what SIGKILL should do at once.
KILL_SECONDS = 20.0
MESSAGE_BYTES, MESSAGE_LINES = 2048, 80
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class ImageError(Exception):
    """The node does not have the image."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a container's process is started."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    directory: Path
    #: Where its ports are, if it listens on all addresses or on this one.
    address: str
    #: Turns a probe's or hook's path into the real one.
    place: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a pod says for all its containers."""

    restart_policy: str
    grace_seconds: float
    back_off_seconds: float


def now() -> str:
    """Return the time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _die_with_agent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Container:
    """A container; its methods belong to one event loop."""

    def __init__(
        self,
        spec: Object,
        rules: Rules,
        folder: Path,
        prepare: Callable[[], Awaitable[Launch]],
        on_change: Callable[[], None],
    ) -> None:
        self.spec = spec
        self.state: Object = {"waiting": {"reason": "ContainerCreating"}}
        self.last_state: Object = {}
        self.restarts = 0
        #: None until it has ended for good.
        self.final_code: int | None = None
        self._rules = rules
        self._folder = folder
        self._prepare = prepare
        self._on_change = on_change
        self._health: Health | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._stop = asyncio.Event()
        self._deadline = 0.0
        self._reason: str | None = None

    @property
    def ready(self) -> bool:
        """Whether it runs and its probe says that it is ready."""
        return "running" in self.state and self._health is not None and self._health.ready

    @property
    def mark(self) -> str:
        """What its processes carry."""
        return f"{self._folder}/{self.restarts}/"

    @property
    def log(self) -> Path:
        """Where its present or last run writes."""
        return self._folder / f"{self.restarts}.log"

    def build_status(self) -> Object:
        """Return its part of the pod's status."""
        pid = self._process.pid if self._process is not None else None
        return {
            "name": self.spec["name"],
            "image": self.spec["image"],
            "imageID": "",
            "containerID": f"process://{pid}" if pid is not None else "",
            "ready": self.ready,
            "started": "running" in self.state and bool(self._health and self._health.started),
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last_state,
        }

    def resume(self, status: Object) -> None:
        """Go on where an agent that is gone has left it: its process is gone too."""
        self.restarts = status["restartCount"]
        self.last_state = status.get("lastState") or {}
        if "running" in status.get("state", {}):
            self.restarts += 1
            self.last_state = {"terminated": _build_terminated(255, "Unknown", now(), "")}

    def stop(self, grace_seconds: float) -> None:
        """End it for good: SIGTERM now, SIGKILL later; a second call may shorten the grace."""
        deadline = time.monotonic() + grace_seconds
        self._deadline = min(self._deadline, deadline) if self._stop.is_set() else deadline
        self._stop.set()

    def kill(self, reason: str) -> None:
        """Kill its processes at once; the restart policy decides what follows."""
        self._reason = reason
        signal_marked(self.mark, signal.SIGKILL)

    async def run(self) -> None:
        """Run it until it has ended for good."""
        self._folder.mkdir(parents=True, exist_ok=True)
        code, back_off = 137, 0.0
        while (launch := await self._wait_for_launch()) is not None:
            code = await self._run_once(launch)
            policy = self._rules.restart_policy
            if self._stop.is_set() or policy == "Never" or (policy == "OnFailure" and code == 0):
                break
            if await self._back_off(back_off):
                break
            back_off = min(BACK_OFF_LIMIT_SECONDS, back_off * 2 or self._rules.back_off_seconds)
            self.restarts += 1
        if "terminated" not in self.state:
            ended = self.last_state.get("terminated")
            self.state = {"terminated": ended or _build_terminated(code, "Error", now(), "")}
        self.final_code = int(self.state["terminated"]["exitCode"])
        self._on_change()

    async def _wait_for_launch(self) -> Launch | None:
        """Return how to start it once all it needs is there, None when it shall end."""
        tries = 0
        while not self._stop.is_set():
            try:
                return await self._prepare()
            except ConfigurationError as error:
                self._wait("CreateContainerConfigError", str(error))
            except ImageError as error:
                image = self.spec["image"]
                if tries == 0:
                    self._wait("ErrImagePull", str(error))
                else:
                    self._wait("ImagePullBackOff", f'Back-off pulling image "{image}": {error}')
            tries += 1
            await self._sleep(RETRY_SECONDS)
        return None

    async def _back_off(self, seconds: float) -> bool:
        """Wait before the next start; return whether it shall end instead."""
        self.last_state = self.state
        if seconds:
            # In its first wait a kubelet restarts at once, and says nothing.
            name = self.spec["name"]
            text = f"back-off {seconds:g}s restarting failed container={name}"
            self._wait("CrashLoopBackOff", text)
        return await self._sleep(seconds)

    async def _sleep(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        return self._stop.is_set()

    def _wait(self, reason: str, message: str) -> None:
        self.state = {"waiting": {"reason": reason, "message": message}}
        self._on_change()

    async def _run_once(self, launch: Launch) -> int:
        """Start it, see it end, and return its code."""
        started, self._reason = now(), None
        try:
            process = await self._start(launch)
        except OSError as error:
            self.state = {"terminated": _build_terminated(128, "StartError", started, str(error))}
            self._on_change()
            return 128
        self._process = process
        self.state = {"running": {"startedAt": started}}
        self._health = Health(self.spec, launch, self._on_change)
        self._on_change()
        watching = asyncio.create_task(self._health.watch(), name="probes")
        try:
            code = await self._see_end(process, self._health)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await self._end_all()
        code = 128 - code if code < 0 else code
        reason = self._reason or ("Completed" if code == 0 else "Error")
        message = self._read_message(code)
        self.state = {"terminated": _build_terminated(code, reason, started, message)}
        self._process = None
        self._on_change()
        return code

    async def _start(self, launch: Launch) -> asyncio.subprocess.Process:
        if not launch.command:
            raise FileNotFoundError("no command specified")
        with self.log.open("wb") as output:
            return await asyncio.create_subprocess_exec(
                *launch.command,
                env={**launch.env, MARK: self.mark},
                cwd=launch.directory,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                preexec_fn=_die_with_agent,
                start_new_session=True,
            )

    async def _see_end(self, process: asyncio.subprocess.Process, health: Health) -> int:
        """Wait for the end of the main process, asking for it when it is time."""
        ending = asyncio.create_task(process.wait(), name="process")
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        sick = asyncio.create_task(health.failed.wait(), name="liveness")
        await asyncio.wait({ending, stop, sick}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            if not self._stop.is_set():
                self._deadline = time.monotonic() + self._rules.grace_seconds
            # Only the main process is asked, as only PID 1 of a container is.
            process.terminate()
            while not ending.done() and time.monotonic() < self._deadline:
                # Short steps, for a second deletion may bring the deadline forward.
                await asyncio.wait({ending}, timeout=min(0.2, self._deadline - time.monotonic()))
            if not ending.done():
                signal_marked(self.mark, signal.SIGKILL)
        for task in (stop, sick):
            task.cancel()
        return await ending

    async def _end_all(self) -> None:
        """Kill what the main process has left behind."""
        deadline = time.monotonic() + KILL_SECONDS
        while signal_marked(self.mark, signal.SIGKILL) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    def _read_message(self, code: int) -> str:
        with contextlib.suppress(FileNotFoundError):
            path = self._folder / "termination-log"
            text = path.read_text(errors="replace")[-MESSAGE_BYTES:]
            path.unlink()
            if text:
                return text
        if code and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            lines = self.log.read_text(errors="replace").splitlines()[-MESSAGE_LINES:]
            return "\n".join(lines)[-MESSAGE_BYTES:]
        return ""


def _build_terminated(code: int, reason: str, started: str, message: str) -> Object:
    built = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now()}
    return {**built, "message": message} if message else built
