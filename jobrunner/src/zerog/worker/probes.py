"""/metrics, /healthz and /readyz of a worker.

They are served by the worker's own loop: who gets an answer knows that it turns. A worker whose
datastore or queue is unavailable is healthy and waits, because a restart would not help.

Nobody who asks delays a job: a request has a deadline, connections have a limit, and a new one ends
the one that is open longest. So who holds connections, reads slowly or floods the port, as a job in
the same pod might, keeps neither the kubelet nor Prometheus from getting an answer.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from http import HTTPStatus

from zerog.model.errors import ConfigError

#: From the connection to the last byte of the answer.
REQUEST_SECONDS = 10.0
#: So many that a flood of new ones does not end one before its request is read.
MAX_CONNECTIONS = 256
MAX_HEAD_BYTES = 8192
#: Metrics are written at most this often, whoever asks how often.
METRICS_SECONDS = 1.0

_TEXT = "text/plain; charset=utf-8"
#: What makes an answer: status, type, body.
Answer = tuple[HTTPStatus, str, bytes]


class Probes:
    """Answers what is asked about one worker."""

    def __init__(self, metrics: Callable[[], tuple[str, bytes]]) -> None:
        """`metrics` returns their content type and text."""
        #: What readiness says: None while the worker takes jobs, else why it does not.
        self.unready: str | None = "it starts"
        self._metrics = metrics
        self._written: tuple[str, bytes] = "", b""
        self._written_at = float("-inf")
        #: Those that are open, oldest first.
        self._open: dict[asyncio.StreamWriter, None] = {}
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> None:
        """Serve from now on.

        Raises:
            ConfigError: The port cannot be had.
        """
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=MAX_HEAD_BYTES)
        except OSError as error:
            # The loop's words are long; a name that does not resolve has a number below 0.
            number = error.errno or 0
            why = os.strerror(number) if number > 0 else error.strerror
            raise ConfigError(
                f"cannot serve metrics on {host}:{port} ({why}): is it in use?"
            ) from error

    @property
    def port(self) -> int:
        """The port that is served."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Serve no longer."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()

    def answer(self, method: str, path: str) -> Answer:
        """Return the answer to a request."""
        if method != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"only GET\n"
        match path.partition("?")[0]:
            case "/metrics":
                return HTTPStatus.OK, *self._written_metrics()
            case "/healthz":
                return HTTPStatus.OK, _TEXT, b"ok\n"
            case "/readyz" if self.unready is None:
                return HTTPStatus.OK, _TEXT, b"ok\n"
            case "/readyz":
                return HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, f"{self.unready}\n".encode()
            case _:
                return HTTPStatus.NOT_FOUND, _TEXT, b"/metrics, /healthz, /readyz\n"

    def _written_metrics(self) -> tuple[str, bytes]:
        if (now := time.monotonic()) - self._written_at >= METRICS_SECONDS:
            self._written, self._written_at = self._metrics(), now
        return self._written

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, in time or not at all."""
        if len(self._open) >= MAX_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = None
        # A peer that leaves, sends no request or too long a one has no answer to wait for.
        gone = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
        try:
            with contextlib.suppress(*gone):
                async with asyncio.timeout(REQUEST_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._reply(head))
                    writer.close()
                    await writer.wait_closed()
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    def _reply(self, head: bytes) -> bytes:
        match head.partition(b"\r\n")[0].decode("latin-1").split(" "):
            case [method, path, version] if version.startswith("HTTP/1."):
                status, kind, body = self.answer(method, path)
            case _:
                status, kind, body = HTTPStatus.BAD_REQUEST, _TEXT, b"not HTTP/1.1\n"
        lines = (
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            "Connection: close",
            "\r\n",
        )
        return "\r\n".join(lines).encode() + body
