"""Streams of server-sent events.

A client gets the next event when it has taken the last one: a slow one misses looks instead of
filling memory.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tornado.iostream import StreamClosedError

from zerog_api.edge.handler import Handler
from zerog_api.edge.operations import EVENTS

#: An event this often shows that the server lives. Proxies close what is silent for long.
ALIVE_SECONDS = 5.0
_ALIVE = b"event: alive\ndata: {}\n\n"


def event(kind: str, text: bytes, mark: str = "") -> bytes:
    """Write an event of JSON text, which is one line. A client that comes back sends the mark of
    the last one that it has seen."""
    place = f"id: {mark}\n" if mark else ""
    return f"event: {kind}\n{place}data: ".encode() + text + b"\n\n"


class Streaming(Handler):
    """A handler that answers with a stream."""

    async def send(self, events: AsyncGenerator[bytes | None, None]) -> None:
        """Answer with events as they come, until there are no more or the client has gone.

        None stands for a look that found nothing new. It has to come often enough that the client
        can be shown that the server lives.
        """
        self.set_header("Content-Type", EVENTS)
        self.set_header("Cache-Control", "no-store")
        if self.request.method == "HEAD":
            return
        told = time.monotonic()
        try:
            await self.flush()
            async with aclosing(events):
                async for chunk in events:
                    if self.closed.is_set():
                        return
                    if chunk is None and time.monotonic() - told < ALIVE_SECONDS:
                        continue
                    told = time.monotonic()
                    self.write(chunk or _ALIVE)
                    await self.flush()
        except StreamClosedError:
            pass  # the client has gone
