"""What requests leave in logs and traces: an id, a span, and a line in the log of requests.

The log has one line for each call that changes something, or for every call. A client cannot flood
it: beyond `MAX_PER_SECOND` lines are counted, and the next one says how many.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace

from zerog.model.origin import Origin, read_request_id, read_trace_parent, trace_id_of
from zerog.model.record import new_job_id
from zerog.tracing import Tracing, parent_of

if TYPE_CHECKING:
    from opentelemetry.trace import Span

log = logging.getLogger("zerog.requests")

Logged = Literal["none", "changes", "all"]
MAX_PER_SECOND = 100
#: The first jobs of a call are named, and all are counted.
MAX_JOBS = 10
#: The first status that is the server's fault.
FIRST_FAILURE = 500


class RequestLog:
    """Writes the log of requests of a process."""

    def __init__(
        self, logged: Logged = "none", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logged = logged
        self._clock = clock
        self._second = self._written = self._left_out = 0

    def wants(self, status: int, *, changes: bool) -> bool:
        """Whether a call that is answered is written down."""
        changed = changes and status < HTTPStatus.BAD_REQUEST
        return self._logged == "all" or (changed and self._logged == "changes")

    def wrote(
        self, call: str, status: int, seconds: float, jobs: Sequence[str], about: dict[str, Any]
    ) -> None:
        """Write down a call that is wanted."""
        if (second := int(self._clock())) != self._second:
            self._second, self._written = second, 0
        if self._written >= MAX_PER_SECOND:
            self._left_out += 1
            return
        self._written += 1
        fields = {**about, "call": call, "status": status, "ms": round(seconds * 1000, 1)}
        told = ""
        if jobs:
            fields |= {"jobs": list(jobs[:MAX_JOBS]), "jobCount": len(jobs)}
            told = f", job {jobs[0]}" if len(jobs) == 1 else f", {len(jobs)} jobs"
        if self._left_out:
            fields["leftOut"], self._left_out = self._left_out, 0
            told += f" (and {fields['leftOut']} more requests)"
        log.info(
            "%s: %d in %.0f ms%s, request %s", call, status, seconds * 1000, told,
            about.get("requestId"), extra={"fields": fields},
        )  # fmt: skip


class Footprint:
    """What one request leaves in logs and traces."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        request_id = read_request_id(headers.get("X-Request-Id")) or new_job_id()
        #: What the request says of itself; it gets an id if it has none. Jobs keep it.
        self.origin = Origin(request_id, read_trace_parent(headers.get("Traceparent")))
        self._span: Span | None = None

    def begin_span(self, traces: Tracing, method: str, route: str) -> None:
        """Begin a span. The jobs of the request are part of it."""
        about = {"http.request.method": method, "http.route": route,
                 "zerog.request.id": self.origin.request_id or ""}  # fmt: skip
        self._span = traces.start(f"{method} {route}", "SERVER", self.origin.trace_parent, about)
        parent = parent_of(self._span.get_span_context())
        self.origin = replace(self.origin, trace_parent=parent)

    def end_span(self, status: int) -> None:
        """End the span with the status of the answer."""
        if self._span is None:
            return
        from opentelemetry.trace import Status, StatusCode

        self._span.set_attribute("http.response.status_code", status)
        if status >= FIRST_FAILURE:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()

    def about(self) -> dict[str, Any]:
        """Return what all records of the log have that are about this request."""
        about: dict[str, Any] = {"requestId": self.origin.request_id}
        if (trace := trace_id_of(self.origin.trace_parent)) is not None:
            about["traceId"] = trace
        return about
