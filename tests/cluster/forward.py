"""A local port that leads to a pod whose processes run on this machine.

`kubectl port-forward` goes through the node's kubelet, which a node agent does not have;
its pods have loopback addresses, so a plain relay does the same.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator

CONNECT_SECONDS = 10.0
_CHUNK_BYTES = 1 << 16


@contextlib.contextmanager
def relay(address: tuple[str, int], local_port: int | None = None) -> Iterator[int]:
    """Relay connections to a local port, the value, to an address while the context lasts."""
    with socket.create_server(("127.0.0.1", local_port or 0)) as server:
        thread = threading.Thread(target=_accept, args=(server, address), daemon=True)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            # Closing alone does not wake a thread that waits in accept().
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join(CONNECT_SECONDS)


def _accept(server: socket.socket, address: tuple[str, int]) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client, address), daemon=True).start()


def _serve(client: socket.socket, address: tuple[str, int]) -> None:
    with (
        client,
        contextlib.suppress(OSError),
        socket.create_connection(address, CONNECT_SECONDS) as remote,
    ):
        remote.settimeout(None)
        back = threading.Thread(target=_copy, args=(remote, client), daemon=True)
        back.start()
        _copy(client, remote)
        back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK_BYTES):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
