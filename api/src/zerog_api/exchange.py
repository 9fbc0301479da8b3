"""One request as it comes in, and the end of its answer.

A short body is read with the headers. A longer one waits until the handler asks for it, which it
does once it knows that the caller may: whoever is refused makes the server keep nothing large.
What a refused request still sends is read away for a moment, so that its sender hears the answer
instead of a connection that breaks.
"""

import asyncio
from collections.abc import Callable

from tornado import httputil
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, RequestStartLine, ResponseStartLine

from zerog_api.http import Request
from zerog_api.problems import Problem

#: A body up to this size is read at once: no more than headers may have.
SHORT_BYTES = 64 * 1024
#: So much of a body that nobody wants is read away, for so long.
LINGER_BYTES, LINGER_SECONDS = 4 * 1024 * 1024, 5.0


class Exchange(httputil.HTTPMessageDelegate):
    """Collects one request and hands it over, before or after its body has come."""

    def __init__(
        self,
        handle: Callable[["Exchange", Request], None],
        connection: HTTP1Connection,
        address: str,
        max_body_bytes: int,
    ) -> None:
        self.connection = connection
        self._handle = handle
        self._address = address
        self._max_bytes = max_body_bytes
        self._request: Request | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        #: The length that the headers tell; None where only the end of the body will.
        self._declared: int | None = 0
        self._complete = False
        self._ended = False
        #: Tornado reads the body when this is done.
        self._wanted: asyncio.Future[None] | None = None
        self._arrived: asyncio.Future[bytes] | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> "asyncio.Future[None] | None":
        """Called by Tornado; the body is not read before the future is done."""
        assert isinstance(start_line, RequestStartLine)
        path, _, query = start_line.path.partition("?")
        request = Request(start_line.method, path, query, headers, self._address)
        self._request = request
        self._declared = declared_length(headers)
        if self._declared is not None and self._declared <= min(SHORT_BYTES, self._max_bytes):
            return None
        request.reader = self._read
        self._wanted = asyncio.get_running_loop().create_future()
        self._handle(self, request)
        return self._wanted

    def data_received(self, chunk: bytes) -> None:
        """Called by Tornado for each part of the body."""
        self._size += len(chunk)
        if self._ended:
            if self._size > LINGER_BYTES:
                self.connection.finish()
        elif self._size > self._max_bytes:
            self._chunks.clear()
            self._fail(self._too_large())
        else:
            self._chunks.append(chunk)

    def finish(self) -> None:
        """Called by Tornado at the end of the request."""
        self._complete = True
        if self._ended:
            self.connection.finish()
        elif self._wanted is not None:
            if self._arrived is not None and not self._arrived.done():
                self._arrived.set_result(b"".join(self._chunks))
        elif self._request is not None:
            self._request.body = b"".join(self._chunks)
            self._handle(self, self._request)

    def on_connection_close(self) -> None:
        """Called by Tornado when the request will not be complete."""
        if self._request is not None:
            self._request.closed.set()
        self._fail(Problem(408, "incomplete", "the body did not come in time"))

    def unread(self) -> bool:
        """Whether a part of the body has not come."""
        return self._wanted is not None and not self._complete

    def end(self) -> None:
        """Let the connection go on to its next request: the answer is written."""
        if not self.unread() or not self._lingers():
            self.connection.finish()
            return
        self._ended = True
        self._chunks.clear()
        self.connection.set_body_timeout(LINGER_SECONDS)

    def release(self) -> None:
        """Let Tornado go on, whatever became of the answer: it may wait for somebody to want the
        body."""
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)

    def _lingers(self) -> bool:
        # Who asks before sending will not send.
        asks = self._request is not None and "Expect" in self._request.headers
        return not asks and (self._declared is None or self._declared <= LINGER_BYTES)

    async def _read(self) -> bytes:
        if self._declared is not None and self._declared > self._max_bytes:
            raise self._too_large()
        self._arrived = asyncio.get_running_loop().create_future()
        self.release()
        return await self._arrived

    def _fail(self, problem: Problem) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_exception(problem)

    def _too_large(self) -> Problem:
        detail = f"the body is larger than the {self._max_bytes} bytes allowed"
        return Problem(413, "too-large", detail)


def declared_length(headers: HTTPHeaders) -> int | None:
    """Return the length of the body by the headers; None: its end will be told.

    What is no length counts as none: Tornado refuses such a request before its end. A length
    that is told twice, which Tornado takes where both are the same, counts once.
    """
    coding = headers.get("Transfer-Encoding")
    if coding is not None:
        return None if "Content-Length" not in headers else 0
    text = headers.get("Content-Length", "0").partition(",")[0].strip()
    return int(text) if text.isascii() and text.isdigit() else 0
