"""A TCP proxy that swallows replies: the request has arrived, its caller never learns."""

import socket
import threading
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 65536
_ACCEPT_SECONDS = 0.2


class CuttingProxy:
    """Passes requests on to 127.0.0.1:`port`; of the first `cut` replies it lets nothing through.

    A connection whose reply is cut is closed as soon as the reply begins, so the server has done
    what was asked.
    """

    def __init__(self, port: int, cut: int) -> None:
        self._port, self._left = port, cut
        self.cut = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_ACCEPT_SECONDS)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    @property
    def url(self) -> str:
        """Where a client finds it."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed.set()
        for item in self._sockets:
            _shut(item)
        for thread in list(self._threads):
            thread.join(10)
        for item in [*self._sockets, self._listener]:
            item.close()

    def cut_more(self, count: int) -> None:
        """Swallow the next `count` replies."""
        with self._lock:
            self._left += count

    def _spawn(self, target: object, *arguments: socket.socket) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            client.settimeout(None)
            try:
                server = socket.create_connection(("127.0.0.1", self._port))
            except OSError:  # the server is dead at present
                client.close()
                continue
            self._sockets += [client, server]
            self._spawn(self._pass_requests, client, server)
            self._spawn(self._pass_replies, server, client)

    def _pass_requests(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(_CHUNK_BYTES):
                server.sendall(data)
        except OSError:
            pass
        _shut(server)

    def _pass_replies(self, server: socket.socket, client: socket.socket) -> None:
        try:
            while data := server.recv(_CHUNK_BYTES):
                with self._lock:
                    if self._left > 0:
                        self._left -= 1
                        self.cut += 1
                        break
                client.sendall(data)
        except OSError:
            pass
        _shut(client)
        _shut(server)


def _shut(item: socket.socket) -> None:
    try:
        item.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
