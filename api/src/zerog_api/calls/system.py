"""The calls about the API itself: its specification, probes and metrics."""

import contextlib

from prometheus_client import generate_latest

from zerog.model.errors import DatastoreError, QueueError
from zerog_api import models
from zerog_api.auth.access import Verb
from zerog_api.calls.base import CallHandler
from zerog_api.edge.handler import operation
from zerog_api.edge.operations import Operation
from zerog_api.problems import Problem


class HealthHandler(CallHandler):
    """Whether the process answers."""

    path = "/healthz"
    is_probe = True

    @operation(
        Operation(
            id="isAlive", tag="system", summary="Tell whether the process answers", verb=None,
            answer=models.Status,
        )
    )  # fmt: skip
    async def get(self) -> None:
        """The loop turns: otherwise nobody would answer."""
        self.reply({"status": "ok"})


class ReadyHandler(CallHandler):
    """Whether jobs can be accepted."""

    path = "/readyz"
    is_probe = True

    @operation(
        Operation(
            id="isReady", tag="system", summary="Tell whether jobs can be accepted", verb=None,
            answer=models.Status,
        )
    )  # fmt: skip
    async def get(self) -> None:
        """Tell whether datastore and queue answer."""
        status = await self.parts.readiness.get()
        if set(status.values()) != {"ok"}:
            bad = ", ".join(f"{name} {state}" for name, state in status.items() if state != "ok")
            raise Problem(503, "not-ready", bad, headers={"Retry-After": "1"})
        self.reply({"status": "ok", **status})


class MetricsHandler(CallHandler):
    """What Prometheus reads."""

    path = "/metrics"

    async def authorize(self) -> None:
        """See `Handler`."""
        await self.access.require_metrics()

    @operation(
        Operation(
            id="getMetrics", tag="system", summary="Get metrics in Prometheus' text format",
            verb=Verb.METRICS, media="text/plain",
        )
    )  # fmt: skip
    async def get(self) -> None:
        """Return metrics in Prometheus' text format."""
        metrics = self.edge.metrics
        metrics.note_unserved(await self.parts.types.unserved())
        with contextlib.suppress(DatastoreError):  # unknown is not zero: what was noted stays
            metrics.note_paused(await self.parts.overview.paused())
            metrics.note_workers(await self.parts.overview.workers())
            metrics.note_counts(await self.parts.overview.totals())
        with contextlib.suppress(DatastoreError, QueueError):
            metrics.note_waits(await self.parts.overview.waits())
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.write(generate_latest(metrics.registry))
