"""The base of all request handlers: `prepare` admits a request, `write_error` tells a problem.

A request is admitted by its headers alone, before its body is read and before the handler's own
method begins: by the name that it calls, whose it is, what they may do, and its length. Who may do
it is asked in `authorize`, which refuses everybody unless a handler says otherwise. What a refused
client still sends is read away for a moment, so that it hears the answer instead of a connection
that breaks.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from tornado.httputil import HTTPHeaders
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, stream_request_body

from zerog import logs
from zerog.model import jsontext
from zerog.model.errors import ZeroGError
from zerog.model.record import is_job_id
from zerog.tracing import Tracing
from zerog_api import problems
from zerog_api.auth.access import CHANGES, DENY, OPEN, Access, Verb
from zerog_api.auth.audit import REFUSALS, Audit, Change
from zerog_api.auth.gate import Admission, Gate, has_bearer, too_many
from zerog_api.edge.clients import Proxies, network_of
from zerog_api.edge.cors import Cors
from zerog_api.edge.hosts import Hosts
from zerog_api.edge.limits import Buckets
from zerog_api.edge.metrics import Metrics
from zerog_api.edge.operations import JSON, Operation
from zerog_api.edge.reading import read_query
from zerog_api.edge.requests import Footprint, RequestLog
from zerog_api.edge.stream import Stream
from zerog_api.models import NoQuery
from zerog_api.problems import Problem

log = logging.getLogger(__name__)

#: So much of a body that nobody wants is read away, for so long.
LINGER_BYTES, LINGER_SECONDS = 4 * 1024 * 1024, 5.0
#: A body that is larger waits for its turn, once it is whole.
LARGE_BODY_BYTES = 64 * 1024
#: The status of a request that did not come to its end, in logs and metrics.
CLIENT_LEFT = 499
#: A length that is none.
BROKEN = -1
#: Of a length in a header.
MAX_LENGTH_DIGITS = 18
#: The methods that a path may have.
METHODS = ("GET", "POST", "DELETE", "HEAD", "OPTIONS")
#: Answers one method of a path; gets the path's segments.
Method = TypeVar("Method", bound=Callable[..., Awaitable[None]])


@dataclass(slots=True)
class Edge:
    """What all handlers share."""

    metrics: Metrics
    max_body_bytes: int
    #: Without a gate everybody may call.
    gate: Gate | None = None
    #: Verbs that need no token even so.
    anonymous: frozenset[Verb] = frozenset()
    #: The names that the API may be called by; None: any.
    hosts: Hosts | None = None
    cors: Cors = field(default_factory=Cors)
    #: Who may say for whom they call.
    proxies: Proxies = field(default_factory=Proxies)
    #: How often an address may call without a token; None: as often as it likes.
    strangers: Buckets | None = None
    audit: Audit = field(default_factory=Audit)
    requests: RequestLog = field(default_factory=RequestLog)
    #: None: nobody collects traces.
    traces: Tracing | None = None
    #: Set at shutdown: streams and waiting calls end.
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    #: The requests under way.
    open: "set[Handler]" = field(default_factory=set)

    def guards(self, verb: Verb | None) -> bool:
        """Whether a call needs a token."""
        return self.gate is not None and verb is not None and verb not in self.anonymous

    def charge_stranger(self, address: str) -> None:
        """Count a call without a token. A 429 `Problem` if there are too many of this address."""
        if self.strangers is None:
            return
        if seconds := self.strangers.take(network_of(address), time.monotonic()):
            raise too_many("too many requests from this address: slow down", seconds)

    async def finish(self, grace_seconds: float) -> None:
        """Let the requests under way come to their end, and those that still come meanwhile."""
        self.stopping.set()
        loop = asyncio.get_running_loop()
        until = loop.time() + grace_seconds
        while self.open and (left := until - loop.time()) > 0:
            ends = [asyncio.ensure_future(handler.ended.wait()) for handler in self.open]
            _, late = await asyncio.wait(ends, timeout=left)
            for end in late:
                end.cancel()
        self.audit.close()


def operation(facts: Operation) -> Callable[[Method], Method]:
    """Say what a handler's method does: its requests are admitted by this, and it is specified."""

    def decorate(method: Method) -> Method:
        @wraps(method)
        async def answer(self: "Handler", *segments: str) -> None:
            if not self.answered:
                self.begin()
                if len(self.body) > LARGE_BODY_BYTES:
                    await self.in_turn(lambda: method(self, *segments))
                else:
                    await method(self, *segments)
                self.check_asked()

        answer.operation = facts  # type: ignore[attr-defined]
        return answer  # type: ignore[return-value]

    return decorate


@stream_request_body
class Handler(RequestHandler):
    """A path of the API. Its methods are decorated with `operation`."""

    #: The path, with the names of its segments: `/v1/jobs/{uuid}/progress`.
    path: ClassVar[str] = "none"
    #: What its methods do, by their names in HTTP.
    operations: ClassVar[Mapping[str, Operation]] = {}
    #: Whether it answers a probe, which must not fail because of others at the same address.
    is_probe: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        named = {name: getattr(cls, name.lower()) for name in ("POST", "GET", "DELETE")}
        cls.operations = {
            name: method.operation for name, method in named.items() if hasattr(method, "operation")
        }

    def initialize(self, edge: Edge) -> None:
        """Take a request. Called by Tornado."""
        self.edge = edge
        method = self.request.method or ""
        #: What the request's method does here; None if there is no such call.
        self.called = self.operations.get("GET" if method == "HEAD" else method)
        #: What the caller may do: nothing, as long as nobody knows who it is.
        self.access: Access = DENY
        forwarded = self.request.headers.get("X-Forwarded-For")
        #: Where the call comes from.
        self.address = edge.proxies.client_of(str(self.request.remote_ip or ""), forwarded)
        #: Set when the client has gone: whoever waits may stop.
        self.closed = asyncio.Event()
        #: Set when nothing of this request is under way any more.
        self.ended = asyncio.Event()
        #: Whether there is an answer before the whole request was there.
        self.answered = False
        self._admission: Admission | None = None
        self._works, self._audited = False, False
        #: The whole body, once the method has begun.
        self.body = b""
        #: The jobs that the call has made.
        self.made: Sequence[str] = ()
        self._length = _declared_length(self.request.headers)
        self._chunks: list[bytes] = []
        self._size = 0
        stream = getattr(self.request.connection, "stream", None)
        self._stream = stream if isinstance(stream, Stream) else None
        edge.open.add(self)

    def set_default_headers(self) -> None:
        """Say nothing of the server, and leave browsers no guess."""
        # Tornado's `set_header` checks what is known here: the id has its form.
        headers = self._headers
        del headers["Server"]
        headers["Content-Type"] = JSON
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Request-Id"] = self.footprint.origin.request_id or ""

    @cached_property
    def footprint(self) -> Footprint:
        """What the request leaves in logs and traces. Headers are set before `initialize`."""
        return Footprint(self.request.headers)

    # Admission

    async def prepare(self) -> None:
        """Admit the request, or refuse it. Called by Tornado before the body is read."""
        traces = self.edge.traces
        if traces is not None and self.called is not None and self.called.verb in CHANGES:
            self.footprint.begin_span(traces, str(self.request.method), self.path)
        logs.ABOUT.set(self.footprint.about)  # in this request's own task
        try:
            await self._admit()
        except (Problem, ZeroGError) as error:
            if not self._lingers():
                raise  # Tornado answers, and closes
            self._refuse(error)

    async def _admit(self) -> None:
        headers, called = self.request.headers, self.called
        guarded = called is not None and self.edge.guards(called.verb)
        if not self.is_probe:
            if not (guarded and has_bearer(headers.get("Authorization"))):
                self.edge.charge_stranger(self.address)
            if "Host" not in headers:  # HTTP/1.0 needs none; some probes send none
                raise Problem(400, "no-host", "the request has no Host header")
        if self.edge.hosts is not None:
            self.edge.hosts.check(headers.get("Host"))
        if self._answer_preflight(headers):
            self.answered = True
            return
        self._add_headers(self.edge.cors.headers(headers))
        if called is None:
            raise self.no_call()
        if called.verb in CHANGES and self.edge.stopping.is_set():
            raise problems.stopping()
        if called.verb is not None:
            await self.find_access(called.verb)
            await self.authorize(*self.path_args)
        if self.request.query and called.query is None:
            read_query(NoQuery, self.request.query)
        if (self._length or 0) > self.edge.max_body_bytes:
            raise self._too_large()

    async def find_access(self, verb: Verb) -> None:
        """Find out what the caller may do. A `Problem` if it may not call at all."""
        gate, request = self.edge.gate, self.request
        if gate is None or not self.edge.guards(verb):
            if verb in CHANGES:
                self.edge.cors.refuse_foreign_page(request.headers)
            self.access = OPEN
            return
        token = request.headers.get("Authorization")
        self._admission = await gate.admit(token, self.address, verb)
        self.access = self._admission.access
        if self._stream is not None:
            self._stream.belong_to(self.access.owner)
        if self.ended.is_set():  # the client left meanwhile
            self._admission.leave()

    async def authorize(self, *segments: Any, **_: Any) -> None:
        """Return if the caller may do this. A 403 `Problem` if not: as it is unless overridden."""
        raise problems.forbidden("no caller may do this")

    def no_call(self) -> Problem:
        """Return the problem of a method that this path does not have."""
        allowed = ", ".join(sorted(self.operations))
        detail, headers = f"allowed here: {allowed}", {"Allow": allowed}
        return Problem(405, "method-not-allowed", detail, headers=headers)

    def _answer_preflight(self, headers: HTTPHeaders) -> bool:
        answer = self.edge.cors.preflight(headers) if self.request.method == "OPTIONS" else None
        if answer is None:
            return False
        self.set_status(204)
        self._add_headers(answer)
        return True

    def _add_headers(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            self.set_header(name, value)

    # The body

    def data_received(self, chunk: bytes) -> None:
        """Take a part of the body. Called by Tornado."""
        self._size += len(chunk)
        if self.answered:
            if self._size > LINGER_BYTES:
                self.finish()  # Tornado closes, since the request is not whole
        elif self._size > self.edge.max_body_bytes:
            self._refuse(self._too_large())
        elif self.called is not None and self.called.takes_body:
            self._chunks.append(chunk)
            if self._stream is not None:
                self._stream.keep(len(chunk))

    def _lingers(self) -> bool:
        """Whether what is left of the request is short enough to be read away."""
        if "Expect" in self.request.headers:
            return False  # who asks before sending will not send
        # What Tornado cannot read it answers itself.
        return self._length != BROKEN and (self._length or 0) <= LINGER_BYTES

    def _refuse(self, error: Exception) -> None:
        self.answered = True
        self._chunks.clear()
        self.clear()
        self.set_header("Content-Length", str(self._tell(error)))
        self._audit()
        self.flush()
        if self._stream is not None:
            self._stream.limit_body(LINGER_SECONDS)

    def _too_large(self) -> Problem:
        detail = f"the body is larger than the {self.edge.max_body_bytes} bytes allowed"
        return Problem(413, "too-large", detail)

    # Work and answer

    def begin(self) -> None:
        """Note that the request is whole: its method begins."""
        self._works = True
        if self._stream is not None:
            self._stream.occupy()
        self.body = b"".join(self._chunks)
        self._chunks.clear()

    async def in_turn(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work for a large body: as objects it may take 30 times as much memory."""
        await work()

    def check_asked(self) -> None:
        """Keep an answer that nobody has asked a right for."""
        if self._admission is not None and not self._admission.access.asked:
            log.error(
                "%s %s asked for no right: its answer is kept", self.request.method, self.path
            )
            raise problems.internal()

    async def head(self, *segments: Any, **_: Any) -> None:
        """Answer as GET does; Tornado leaves the body out."""
        await self.get(*segments)

    async def _no_method(self, *segments: Any, **_: Any) -> None:
        """Nothing more is to say: `prepare` has answered."""

    get = post = delete = put = patch = options = _no_method

    def reply(self, document: Any, status: int = 200, **headers: str) -> None:
        """Answer with JSON; it ends with a line, for those who read it in a terminal."""
        if status != 200:
            self.set_status(status)
        self._add_headers(headers)
        self.write(jsontext.dumps(document) + b"\n")

    def compute_etag(self) -> str | None:
        """Answers change too often for a mark of their text to be worth its time."""
        return None

    def check_etag_header(self) -> bool:
        """Whether the client has the answer. Tornado would look for its mark without one, too."""
        return "Etag" in self._headers and super().check_etag_header()

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Decode a segment of the path; what is no UTF-8 is replaced, and names nothing."""
        return value.decode(errors="replace")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with a problem document."""
        self._tell(kwargs["exc_info"][1] if "exc_info" in kwargs else None)
        if not self._works:  # nobody will read the rest of the request
            self.set_header("Connection", "close")

    def _tell(self, error: BaseException | None) -> int:
        """Write the problem that an error is; return how long its text is."""
        problem = self._problem_of(error)
        self.set_status(problem.status)
        self._add_headers(self.edge.cors.headers(self.request.headers))
        self._add_headers({"Content-Type": problems.CONTENT_TYPE, **problem.headers})
        text = jsontext.dumps(problem.to_document()) + b"\n"
        self.write(text)
        return len(text)

    def _problem_of(self, error: BaseException | None) -> Problem:
        match error:
            case Problem():
                return error
            case ZeroGError():
                return problems.of_error(error)
            case HTTPError() if error.status_code == 405:
                return self.no_call()
            case _:
                return problems.internal()

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log what is not the client's fault."""
        told = self._problem_of(value)
        if told.status < 500 or isinstance(value, Problem | StreamClosedError):
            return
        call = (self.request.method, self.path)
        if isinstance(value, ZeroGError):
            log.warning("%s %s: %s", *call, value)
        elif value is not None:  # a bug must not end the server
            log.error("%s %s failed", *call, exc_info=value)

    # The end

    def on_connection_close(self) -> None:
        """Learn that the client has gone. Called by Tornado."""
        super().on_connection_close()
        self.closed.set()
        if not self._works:  # Tornado drops a request that is not whole
            if not self.answered:
                self.set_status(CLIENT_LEFT, "Client Closed Request")
            self._leave()

    def finish(self, chunk: Any = None) -> "asyncio.Future[None]":
        """Answer, and write down what was changed before the client learns of it."""
        self._audit()
        return super().finish(chunk)

    def on_finish(self) -> None:
        """Learn that the answer is written. Called by Tornado."""
        self._leave()

    def _leave(self) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        self.edge.open.discard(self)
        # A handler and its connection refer to each other: they stay until they are collected.
        self._chunks.clear()
        self.body = b""
        if self._stream is not None:
            self._stream.release()
        # Whatever a client made up is not remembered.
        method = self.request.method if self.request.method in METHODS else "any"
        seconds, status = self.request.request_time(), self.get_status()
        self.edge.metrics.observe(method or "any", self.path, status, seconds)
        if self.edge.traces is not None:
            self.footprint.end_span(status)
        changes = self.called is not None and self.called.verb in CHANGES
        if not self.is_probe and self.edge.requests.wants(status, changes=changes):
            self._log_request(method or "any", status, seconds)
        if self._admission is not None:
            self._admission.leave()
        self._audit()

    def _log_request(self, method: str, status: int, seconds: float) -> None:
        # Tornado refuses some methods before it looks at the path.
        path = getattr(self, "path_args", ())
        jobs = self.made or [each for each in path if is_job_id(each)]
        about = self.footprint.about()
        if self.access.owner:
            about["caller"] = self.access.owner
        self.edge.requests.wrote(f"{method} {self.path}", status, seconds, jobs, about)

    def _audit(self) -> None:
        """Write down, once, what was changed, and who was refused."""
        if self._audited:
            return
        self._audited = True
        status, verb = self.get_status(), self.called.verb if self.called is not None else None
        owner = self.access.owner
        if verb in CHANGES and owner and self._admission is not None:
            access = self._admission.access
            call = f"{self.request.method} {self.path}"
            names = access.queues, access.jobs
            change = Change(str(verb), call, *names, status, access.workers, self.footprint.origin)
            self.edge.audit.changed(owner, self.address, change)
        elif status in REFUSALS:
            self.edge.audit.refused(owner, self.address, status)


class NotFoundHandler(Handler):
    """Every path that is none of the API's."""

    def no_call(self) -> Problem:
        """See `Handler`."""
        return Problem(404, "not-found", "there is no such call; GET /docs lists them")


def _declared_length(headers: HTTPHeaders) -> int | None:
    """Return the length of the body by the headers; None: its end will be told.

    A length that is told twice, which Tornado takes where both are the same, counts once. `BROKEN`
    is what Tornado refuses when it comes to the body.
    """
    text = headers.get("Content-Length")
    if "Transfer-Encoding" in headers:
        chunked = headers["Transfer-Encoding"].lower() == "chunked"
        return None if chunked and text is None else BROKEN
    text = "0" if text is None else text.partition(",")[0].strip()
    if not (text.isascii() and text.isdigit()):
        return BROKEN
    # Of more digits Python makes no number; this is too long for everybody.
    return int(text[:MAX_LENGTH_DIGITS])
