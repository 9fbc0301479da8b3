"""An API server as seen through a bad network, or one in trouble: a proxy in front of a real one.

Everything passes but what a test asks for: calls that are answered here with an error, watches
that are cut, fall silent or are told 410 Gone, and traps.
"""

import asyncio
import json
import ssl
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.ports import free_port

from .proxy import LoopThread, Trap

_NOT_PASSED_ON = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding",
                  "content-encoding"}  # fmt: skip
#: The message of an expired resourceVersion, as the API server says it.
GONE = {
    "type": "ERROR",
    "object": {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "too old resource version: 1 (2)",
        "reason": "Expired",
        "code": 410,
    },
}


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A call to the API server."""

    method: str
    path: str
    query: str = ""
    body: str = ""

    @property
    def is_watch(self) -> bool:
        """Whether it is a watch."""
        return "watch=" in self.query

    @property
    def is_list(self) -> bool:
        """Whether it reads a collection."""
        return self.method == "GET" and not self.is_watch and "/namespaces/" in self.path

    def on(self, method: str, *ends: str) -> bool:
        """Whether it has this method and one of the path's last words."""
        return self.method == method and any(part in ends for part in self.path.split("/"))


@dataclass
class Fault:
    """Calls that are answered with an error, as long as it is there."""

    fits: Callable[[ApiCall], bool]
    status: int
    reason: str
    headers: Mapping[str, str] = field(default_factory=dict)
    #: So many calls; then it is over.
    times: int | None = None
    hits: int = 0


class ApiProxy:
    """A proxy in front of a control plane's API server."""

    def __init__(self, cluster: ControlPlane) -> None:
        self._cluster = cluster
        self.port = free_port()
        #: All calls that came, oldest first.
        self.calls: list[ApiCall] = []
        self._faults: list[Fault] = []
        self._traps: list[Trap[ApiCall]] = []
        self._watches: dict[asyncio.Task[Any], ApiCall] = {}
        self._muted: Callable[[ApiCall], bool] | None = None
        #: Connections to the API server, some of them at their end.
        self._upstream: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()
        self._loop = LoopThread()
        self._loop.run(self._start())

    def kubeconfig(self, path: Path) -> Path:
        """Return a copy of a kubeconfig that leads here."""
        config = json.loads(path.read_text())
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self.port}"}
        copy = path.with_name(f"{path.stem}-{self.port}.kubeconfig")
        copy.write_text(json.dumps(config))
        return copy

    def fail(
        self,
        fits: Callable[[ApiCall], bool],
        status: int,
        reason: str,
        *,
        headers: Mapping[str, str] | None = None,
        times: int | None = None,
    ) -> Fault:
        """Answer such calls with an error, until `heal`."""
        fault = Fault(fits, status, reason, headers or {}, times)
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """Let everything pass again."""
        self._faults, self._muted = [], None

    def trap(self, fits: Callable[[ApiCall], bool], *, after: bool) -> Trap[ApiCall]:
        """Hold the first such call for good."""
        made = Trap(fits, after)
        self._traps.append(made)
        return made

    def mute_watches(self, fits: Callable[[ApiCall], bool]) -> None:
        """Let such watches, also present ones, stay open and say nothing more until `heal`."""
        self._muted = fits

    def cut_watches(self, *, gone: bool = False) -> int:
        """End all watches in the middle; `gone` tells them 410 first. Return how many."""
        return self._loop.run(self._cut(gone))

    def close(self) -> None:
        """End it."""
        self._loop.run(self._stop())
        self._loop.stop()

    async def _start(self) -> None:
        context = ssl.create_default_context(cafile=str(self._cluster.layout.authority))
        self._session = aiohttp.ClientSession(
            self._cluster.server,
            connector=aiohttp.TCPConnector(ssl=context, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def _stop(self) -> None:
        await self._cut(gone=False)
        await self._runner.cleanup()
        await self._session.close()
        # A cut connection takes its leave by TLS. Its session has forgotten it by then, and the
        # loop would end before it has.
        for transport in self._upstream:
            transport.abort()

    async def _cut(self, gone: bool) -> int:
        watches = list(self._watches)
        for task in watches:
            task.cancel("gone" if gone else "cut")
        return len(watches)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        call = ApiCall(request.method, request.path, request.query_string, body.decode())
        self.calls.append(call)
        for fault in self._faults:
            if fault.fits(call) and (fault.times is None or fault.hits < fault.times):
                fault.hits += 1
                return _refuse(fault)
        trap = next((trap for trap in self._traps if trap.catch(call)), None)
        if trap is not None and not trap.after:
            trap.spring()
            await asyncio.Event().wait()
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _NOT_PASSED_ON}
        async with self._session.request(
            request.method, request.rel_url, data=body or None, headers=headers
        ) as answer:
            if answer.connection is not None and answer.connection.transport is not None:
                self._upstream.add(answer.connection.transport)
            if trap is not None:
                await answer.read()
                trap.spring()
                await asyncio.Event().wait()
            if call.is_watch:
                return await self._pass_watch(request, call, answer)
            return web.Response(
                status=answer.status, body=await answer.read(), headers=_headers(answer)
            )

    async def _pass_watch(
        self, request: web.Request, call: ApiCall, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=_headers(answer))
        await response.prepare(request)
        task = asyncio.create_task(self._pump(call, answer, response))
        self._watches[task] = call
        try:
            await asyncio.wait({task})
        finally:
            del self._watches[task]
            task.cancel()
        return response

    async def _pump(
        self, call: ApiCall, answer: aiohttp.ClientResponse, response: web.StreamResponse
    ) -> None:
        try:
            async for line in answer.content:
                while self._muted is not None and self._muted(call):
                    await asyncio.sleep(0.05)
                await response.write(line)
        except asyncio.CancelledError as order:
            if order.args == ("gone",):
                await response.write(json.dumps(GONE).encode() + b"\n")
            raise
        except (aiohttp.ClientError, ConnectionError):
            return


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {k: v for k, v in answer.headers.items() if k.lower() not in _NOT_PASSED_ON}


def _refuse(fault: Fault) -> web.Response:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"{fault.reason} for a test",
        "reason": fault.reason,
        "code": fault.status,
    }
    return web.json_response(status, status=fault.status, headers=dict(fault.headers))
