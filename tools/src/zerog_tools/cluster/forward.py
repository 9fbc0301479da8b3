"""A local port that leads to a pod.

`kubectl port-forward` goes through the node's kubelet. A node agent has none; its pods have
loopback addresses, so a plain relay does the same.
"""

import contextlib
import os
import re
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from zerog_tools.cluster.interface import FORWARD_SECONDS
from zerog_tools.cluster.process import ClusterError, wait_until

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


@contextlib.contextmanager
def forward_by_kubectl(
    kubectl: Path,
    kubeconfig: Path,
    target: str,
    remote_port: int,
    *arguments: str,
    local_port: int | None = None,
) -> Iterator[int]:
    """Give a local port, the value, that leads to `pod/x` or `service/x` by the node's kubelet."""
    command = [str(kubectl), "--kubeconfig", str(kubeconfig), "port-forward", *arguments]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*command, target, f"{local_port or ''}:{remote_port}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        try:
            yield _wait_for_port(process, log.fileno(), target)
        finally:
            process.terminate()
            process.wait(FORWARD_SECONDS)


def _wait_for_port(process: subprocess.Popen[bytes], log: int, target: str) -> int:
    """Return the port that kubectl says it listens on."""

    def look() -> int | None:
        text = os.pread(log, 1 << 16, 0).decode(errors="replace")
        if process.poll() is not None:
            raise ClusterError(f"no port leads to {target}: {text.strip()}")
        match = re.search(r"Forwarding from 127\.0\.0\.1:(\d+)", text)
        return int(match[1]) if match else None

    return wait_until(look, FORWARD_SECONDS, f"a port leads to {target}")
