"""A REST API that answers from a script."""

import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

#: Bytes are sent, a number is seconds of silence, and a question is silence until it is answered by
#: yes. Silence ends when the API is closed.
Chunk = bytes | float | Callable[[], bool]
#: Between two questions.
_ASK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Answer:
    """One scripted answer, at once or in `chunks`."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    chunks: list[Chunk] | None = None
    #: The connection ends in the middle of the answer, or before it if nothing is streamed.
    cut: bool = False
    #: Silence before an answer that is not in chunks.
    after: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


class FakeApi:
    """Answers requests in order of the script; the last answer is given for ever. A path may have
    a script of its own, for clients that ask several things at the same time."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self._routes: dict[str, deque[Answer]] = {}
        self.seen: list[Seen] = []
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def script(self, *answers: Answer) -> None:
        """Set what is answered from now on."""
        self.answers = deque(answers)

    def route(self, path: str, *answers: Answer) -> None:
        """Set what requests for a path, with or without a query, are answered from now on."""
        self._routes[path] = deque(answers)

    def forget_routes(self) -> None:
        """Let all paths be answered by the script again."""
        self._routes.clear()

    def asked(self, path: str, times: int) -> Callable[[], bool]:
        """Return the question whether there were as many requests for a path."""
        return lambda: [seen.path for seen in self.seen].count(path) >= times

    def close(self) -> None:
        """Stop, and wait for the requests under way."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                api._answer(self)

            def do_POST(self) -> None:
                api._answer(self)

            def do_DELETE(self) -> None:
                api._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        with contextlib.suppress(ConnectionError):  # a client that has left
            self._answer_to(handler)

    def _answer_to(self, handler: BaseHTTPRequestHandler) -> None:
        text = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        address = urlsplit(handler.path)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = json.loads(text) if text else None
        query = parse_qs(address.query)
        self.seen.append(Seen(handler.command, address.path, query, headers, body))
        answers = self._routes.get(handler.path) or self._routes.get(address.path) or self.answers
        answer = answers.popleft() if len(answers) > 1 else answers[0]
        if answer.chunks is not None:
            self._stream(handler, answer)
        elif self._is_silent(answer.after):
            return
        elif not answer.cut:
            raw = json.dumps(answer.body).encode() if answer.raw is None else answer.raw
            handler.send_response(answer.status)
            headers = {"Content-Length": str(len(raw)), "Connection": "close", **answer.headers}
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(raw)

    def _stream(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        assert answer.chunks is not None
        handler.send_response(answer.status)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for chunk in answer.chunks:
            if isinstance(chunk, bytes):
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                handler.wfile.flush()
            elif self._is_silent(chunk):
                return
        if not answer.cut:
            handler.wfile.write(b"0\r\n\r\n")

    def _is_silent(self, chunk: float | Callable[[], bool] | None) -> bool:
        """Wait; return whether the API was closed meanwhile."""
        if not callable(chunk):
            return chunk is not None and self._closing.wait(chunk)
        while not chunk():
            if self._closing.wait(_ASK_SECONDS):
                return True
        return False
