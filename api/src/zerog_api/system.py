"""The calls about ZeroG itself: types, queues, workers, probes, metrics, pages."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from zerog.datastore.base import Datastore
from zerog.errors import ZeroGError
from zerog.names import queue_of_tube, tube_name
from zerog.queues.base import Producer, TubeStats
from zerog_api.http import Answer, Request, Response, json_response
from zerog_api.problems import Problem
from zerog_api.types import Types

#: Rates are of the last so many seconds; younger measurements are too rough to tell.
RATE_SECONDS, MIN_RATE_SECONDS = 60.0, 2.0
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGES = {
    "index.html": "text/html; charset=utf-8",
    "docs.html": "text/html; charset=utf-8",
    "index.js": "text/javascript; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
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
        self._known: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        key = (method, route, status)
        if key not in self._known:
            self._known[key] = (
                self._requests.labels(method if route != "none" else "any", route, str(status)),
                self._seconds.labels(route),
            )
        counter, histogram = self._known[key]
        counter.inc()
        histogram.observe(seconds)


@dataclass(slots=True)
class Rates:
    """Arrivals and departures per minute, from differences of beanstalkd's own counters."""

    samples: dict[str, list[tuple[float, int, int]]] = field(default_factory=dict)

    def add(self, stats: TubeStats, now: float) -> tuple[float | None, float | None]:
        """Take a measurement; return both rates, None while unknown."""
        samples = self.samples.setdefault(stats.name, [])
        if samples and (stats.total < samples[-1][1] or stats.deleted < samples[-1][2]):
            samples.clear()  # the server was restarted
        samples.append((now, stats.total, stats.deleted))
        while len(samples) > 2 and now - samples[1][0] >= RATE_SECONDS:
            samples.pop(0)
        first = samples[0]
        seconds = now - first[0]
        if seconds < MIN_RATE_SECONDS:
            return None, None
        return (
            round((stats.total - first[1]) * 60 / seconds, 2),
            round((stats.deleted - first[2]) * 60 / seconds, 2),
        )


class SystemCalls:
    """Handlers of the calls about ZeroG itself."""

    def __init__(
        self, store: Datastore, producer: Producer, types: Types, metrics: Metrics
    ) -> None:
        self._store = store
        self._producer = producer
        self._types = types
        self._metrics = metrics
        self._rates = Rates()
        #: Set by the routes, which are the specification.
        self.openapi_document: dict[str, Any] = {}

    async def types(self, request: Request, query: dict[str, Any]) -> Answer:
        """List the job types."""
        return json_response({"types": await self._types.all()})

    async def type(self, request: Request, query: dict[str, Any], name: str) -> Answer:
        """Describe a job type."""
        return json_response((await self._types.get(name)).document)

    async def queues(self, request: Request, query: dict[str, Any]) -> Answer:
        """Tell of every queue how long it is, how fast it moves and how long jobs wait."""
        names = {str(document["queue"]) for document in await self._types.all()}
        names |= {name for tube in await self._producer.tubes() if (name := queue_of_tube(tube))}
        return json_response({"queues": [await self._queue(name) for name in sorted(names)]})

    async def _queue(self, name: str) -> dict[str, Any]:
        stats = await self._producer.tube_stats(tube_name(name))
        arrival, departure = self._rates.add(stats, time.monotonic())
        return {
            "name": name,
            "ready": stats.ready,
            "reserved": stats.reserved,
            "delayed": stats.delayed,
            "buried": stats.buried,
            "arrivalPerMinute": arrival,
            "departurePerMinute": departure,
            "waitingSeconds": _waiting_seconds(stats.ready, departure),
        }

    async def workers(self, request: Request, query: dict[str, Any]) -> Answer:
        """List the workers that live, and what each runs."""
        stored = await self._store.scan("workers")
        return json_response({"workers": [stored[name].document for name in sorted(stored)]})

    async def healthz(self, request: Request, query: dict[str, Any]) -> Answer:
        """The loop turns: otherwise nobody would answer."""
        return json_response({"status": "ok"})

    async def readyz(self, request: Request, query: dict[str, Any]) -> Answer:
        """Whether jobs can be accepted now."""
        parts: Mapping[str, Any] = {
            "datastore": self._store.ready(),
            "queue": self._producer.server_stats(),
        }
        status = {}
        for name, check in parts.items():
            try:
                await check
                status[name] = "ok"
            except ZeroGError:
                status[name] = "unavailable"
        if set(status.values()) == {"ok"}:
            return json_response({"status": "ok", **status})
        away = ", ".join(name for name, state in status.items() if state != "ok")
        raise Problem(503, "not-ready", f"away: {away}", headers={"Retry-After": "1"})

    async def metrics(self, request: Request, query: dict[str, Any]) -> Answer:
        """Return metrics in Prometheus' text format."""
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


def _waiting_seconds(ready: int, departures_per_minute: float | None) -> float | None:
    """How long a job that arrives now would wait; None while the rate is unknown or
    nothing moves."""
    if ready == 0:
        return 0.0
    return round(ready * 60 / departures_per_minute, 1) if departures_per_minute else None


def _page(name: str) -> Response:
    if name not in _PAGES:
        raise Problem(404, "not-found", "there is no such page")
    body = resources.files("zerog_api").joinpath("static", name).read_bytes()
    headers = {"Content-Security-Policy": _CSP, "Referrer-Policy": "no-referrer"}
    return Response(body=body, content_type=_PAGES[name], headers=headers)
