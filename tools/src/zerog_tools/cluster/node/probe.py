"""A container's health by its probes: exec, TCP and HTTP, as often as its description says.

A container without a probe is well. Readiness comes and goes; a liveness or startup probe
that fails too often sets `failed`, upon which the container is ended.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx

from zerog_tools.cluster.node.api import Object

if TYPE_CHECKING:
    from zerog_tools.cluster.node.container import Launch

PERIOD_SECONDS, TIMEOUT_SECONDS, FAILURES = 10, 1, 3


class Health:
    """What the probes of one run of a container have found."""

    def __init__(self, spec: Object, launch: "Launch", on_change: Callable[[], None]) -> None:
        self.started = "startupProbe" not in spec
        self.failed = asyncio.Event()
        self._ready = False
        self._spec = spec
        self._launch = launch
        self._on_change = on_change

    @property
    def ready(self) -> bool:
        """Whether it has started and its readiness probe, if any, is content."""
        return self.started and (self._ready or "readinessProbe" not in self._spec)

    async def watch(self) -> None:
        """Probe until cancelled."""
        if (startup := self._spec.get("startupProbe")) is not None:
            await self._watch_one(startup, self._see_startup)
        kinds = (("readinessProbe", self._see_readiness), ("livenessProbe", self._see_liveness))
        async with asyncio.TaskGroup() as group:
            for name, see in kinds:
                if (probe := self._spec.get(name)) is not None:
                    group.create_task(self._watch_one(probe, see), name=name)

    def _see_startup(self, well: bool) -> bool:
        if well:
            self.started = True
            self._on_change()
        else:
            self.failed.set()
        return well

    def _see_readiness(self, well: bool) -> bool:
        if well != self._ready:
            self._ready = well
            self._on_change()
        return False

    def _see_liveness(self, well: bool) -> bool:
        if not well:
            self.failed.set()
        return not well

    async def _watch_one(self, probe: Object, see: Callable[[bool], bool]) -> None:
        """Tell each verdict, which needs some equal answers in a row, until it says enough."""
        await asyncio.sleep(probe.get("initialDelaySeconds", 0))
        thresholds = {
            True: probe.get("successThreshold", 1),
            False: probe.get("failureThreshold", FAILURES),
        }
        last, row = None, 0
        while True:
            answer = await self._ask(probe)
            last, row = answer, row + 1 if answer == last else 1
            if row >= thresholds[answer] and see(answer):
                return
            await asyncio.sleep(probe.get("periodSeconds", PERIOD_SECONDS))

    async def _ask(self, probe: Object) -> bool:
        try:
            async with asyncio.timeout(probe.get("timeoutSeconds", TIMEOUT_SECONDS)):
                if "exec" in probe:
                    return await self._execute(probe["exec"]["command"])
                if "httpGet" in probe:
                    return await self._get(probe["httpGet"])
                return await self._connect(probe["tcpSocket"]["port"])
        except (OSError, TimeoutError, httpx.HTTPError):
            return False

    async def _execute(self, command: list[str]) -> bool:
        process = await asyncio.create_subprocess_exec(
            *map(self._launch.place, command),
            env=dict(self._launch.env),
            cwd=self._launch.directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            return await process.wait() == 0
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def _get(self, get: Object) -> bool:
        port = self._find_port(get["port"])
        headers = {item["name"]: item["value"] for item in get.get("httpHeaders", ())}
        url = f"http://{self._launch.address}:{port}{get.get('path', '/')}"
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(url, headers=headers)
        return answer.status_code < httpx.codes.BAD_REQUEST

    async def _connect(self, port: int | str) -> bool:
        _, writer = await asyncio.open_connection(self._launch.address, self._find_port(port))
        writer.close()
        return True

    def _find_port(self, port: int | str) -> int:
        if isinstance(port, int):
            return port
        for item in self._spec.get("ports", ()):
            if item.get("name") == port:
                return int(item["containerPort"])
        raise OSError(f"no port {port}")
