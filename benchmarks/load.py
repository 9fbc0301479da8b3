"""The load: a cheap HTTP/1.1 client on raw keep-alive connections, the same for all peers."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any


class Connection:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect to a port of the loopback interface."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Make a request, return status and body."""
        self._writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        at = lower.index(b"content-length:") + 15
        length = int(head[at : head.index(b"\r", at)])
        return int(head[9:12]), await self._reader.readexactly(length)

    def close(self) -> None:
        """Close it."""
        self._writer.close()


async def spread(
    port: int,
    connections: int,
    work: Iterator[Any],
    do: Callable[[Connection, Any], Awaitable[None]],
) -> float:
    """Do all the work over so many connections, return the seconds it took."""
    opened = [await Connection.open(port) for _ in range(connections)]

    async def one(connection: Connection) -> None:
        for item in work:
            await do(connection, item)

    started = time.perf_counter()
    await asyncio.gather(*[one(connection) for connection in opened])
    seconds = time.perf_counter() - started
    for connection in opened:
        connection.close()
    return seconds


def is_done(status: int, body: bytes) -> bool:
    """Whether an answer tells of a finished job."""
    return status == 200 and json.loads(body)["resultCode"] != -1
