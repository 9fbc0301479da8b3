"""The calls about ZeroG itself: types, probes, metrics, pages."""

import asyncio
from importlib import resources
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from zerog.ledger.unserved import TypesByQueue
from zerog.model.errors import ZeroGError
from zerog.queue.port import Producer
from zerog.store.port import Datastore
from zerog_api.http import Answer, Request, Response, json_response
from zerog_api.problems import Problem
from zerog_api.shared import Shared
from zerog_api.types import Types

#: How old what a probe is told may be.
READY_SECONDS = 0.5
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}
_TEXT, _SCRIPT = "text/html; charset=utf-8", "text/javascript; charset=utf-8"
PAGES = {
    "index.html": _TEXT,
    "docs.html": _TEXT,
    "app.js": _SCRIPT,
    "docs.js": _SCRIPT,
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "licenses.txt": "text/plain; charset=utf-8",
}


class Metrics:
    """What Prometheus may read of this process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "zerog_api_requests_total",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "zerog_api_request_seconds",
            "Time from the whole request to the whole answer.",
            ["route"],
            buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30),
            registry=self.registry,
        )
        self._unserved = Gauge(
            "zerog_queue_unserved_types",
            "Job types with open jobs that no worker of the queue knows.",
            ["queue"],
            registry=self.registry,
        )
        self._known: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        if route == "none":
            method = "any"  # whatever a client made up is not remembered
        key = (method, route, status)
        if key not in self._known:
            self._known[key] = (
                self._requests.labels(method, route, str(status)),
                self._seconds.labels(route),
            )
        counter, histogram = self._known[key]
        counter.inc()
        histogram.observe(seconds)

    def note_unserved(self, found: TypesByQueue) -> None:
        """Note how many types of each queue are unserved."""
        for queue, names in found.items():
            self._unserved.labels(queue).set(len(names))


class SystemCalls:
    """Handlers of the calls about ZeroG itself."""

    def __init__(
        self, store: Datastore, producer: Producer, types: Types, metrics: Metrics
    ) -> None:
        self._store = store
        self._producer = producer
        self._types = types
        self._metrics = metrics
        # Nobody needs a token to ask, and the datastore writes to answer.
        self._parts = Shared(self._ask_parts)
        #: Set by the routes, which are the specification.
        self.openapi_document: dict[str, Any] = {}

    async def types(self, request: Request, query: dict[str, Any]) -> Answer:
        """List the job types."""
        documents = await self._types.all()
        seen = set(await request.access.among({str(item["queue"]) for item in documents}))
        return json_response({"types": [item for item in documents if item["queue"] in seen]})

    async def type(self, request: Request, query: dict[str, Any], name: str) -> Answer:
        """Describe a job type."""
        found = await self._types.get(name, request.access)
        await request.access.require(found.queue)
        return json_response(found.document)

    async def healthz(self, request: Request, query: dict[str, Any]) -> Answer:
        """The loop turns: otherwise nobody would answer."""
        return json_response({"status": "ok"})

    async def readyz(self, request: Request, query: dict[str, Any]) -> Answer:
        """Whether jobs can be accepted now."""
        status = await self._parts.get(READY_SECONDS)
        if set(status.values()) == {"ok"}:
            return json_response({"status": "ok", **status})
        reasons = ", ".join(f"{name} {state}" for name, state in status.items() if state != "ok")
        raise Problem(503, "not-ready", reasons, headers={"Retry-After": "1"})

    async def _ask_parts(self) -> dict[str, Any]:
        datastore, queue = await asyncio.gather(self._ask_datastore(), self._ask_queue())
        return {"datastore": datastore, "queue": queue}

    async def _ask_datastore(self) -> str:
        try:
            await self._store.ready()
        except ZeroGError:
            return "unavailable"
        return "ok"

    async def _ask_queue(self) -> str:
        try:
            stats = await self._producer.server_stats()
        except ZeroGError:
            return "unavailable"
        return "draining" if stats.draining else "ok"

    async def metrics(self, request: Request, query: dict[str, Any]) -> Answer:
        """Return metrics in Prometheus' text format."""
        await request.access.require_metrics()
        self._metrics.note_unserved(await self._types.unserved())
        return Response(
            body=generate_latest(self._metrics.registry),
            content_type="text/plain; version=0.0.4; charset=utf-8",
        )

    async def openapi(self, request: Request, query: dict[str, Any]) -> Answer:
        """Return the specification of this API."""
        return json_response(self.openapi_document)

    async def index(self, request: Request, query: dict[str, Any]) -> Answer:
        """The page of jobs, queues and workers."""
        return _page("index.html")

    async def docs(self, request: Request, query: dict[str, Any]) -> Answer:
        """The specification as a page."""
        return _page("docs.html")

    async def asset(self, request: Request, query: dict[str, Any], name: str) -> Answer:
        """Scripts and styles of the pages."""
        return _page(name)


def _page(name: str) -> Response:
    if name not in PAGES:
        raise Problem(404, "not-found", "there is no such page")
    body = resources.files("zerog_api").joinpath("static", name).read_bytes()
    return Response(body=body, content_type=PAGES[name], headers=dict(_HEADERS))
