"""Answers that may be large: a job's document with its parameters and output, of 16 MiB and more.

Only a few of them are in memory at once, since each is there until its client has taken it. What is
not large never waits. A client that does not take its answer keeps others waiting only for seconds.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tornado.iostream import IOStream, StreamClosedError

from zerog_api.calls.base import CallHandler
from zerog_api.core import views

log = logging.getLogger(__name__)

#: A stored text that is larger than this waits for its turn.
LARGE_BYTES = 1024 * 1024
#: While others wait for a turn, a client is left that takes nothing for the first time, or has not
#: taken everything after the second.
IDLE_SECONDS, TAKE_SECONDS = 5.0, 60.0
#: How often it is looked whether the client takes its answer.
LOOK_SECONDS = 0.25


class LargeHandler(CallHandler):
    """A call whose answer may be large."""

    async def reply_whole(
        self, look: Callable[[], Awaitable[int]], make: Callable[[], Awaitable[Mapping[str, Any]]]
    ) -> None:
        """Answer with a document of `views`. `look` finds out how many bytes are stored beside the
        job's record that it is made of."""
        async with self.parts.looks.turn(self.caller, self.closed) as begins:
            if not begins:
                return  # the client has gone
            size_bytes = await look()
        if size_bytes <= LARGE_BYTES:
            self.write(views.to_json(await make()) + b"\n")
            return
        async with self.parts.large.turn(self.caller, self.closed) as begins:
            if not begins:
                return
            document = await make()
            await asyncio.sleep(0)
            self.write(views.to_json(document))
            self.write(b"\n")  # apart: together they would be copied
            del document
            self.check_asked()
            await self._taken()

    async def _taken(self) -> None:
        """Wait until the client has the answer, or it is not worth waiting any more."""
        finished = asyncio.ensure_future(self.finish())
        start = time.monotonic()
        while not finished.done():
            await asyncio.wait([finished], timeout=LOOK_SECONDS)
            if self.parts.large.waiting and self._is_slow(start):
                break
        stream = getattr(self.request.connection, "stream", None)
        if not finished.done() and isinstance(stream, IOStream):
            log.warning("a large answer is not taken while others wait: the connection is closed")
            stream.close()
        with contextlib.suppress(StreamClosedError):  # the client has gone
            await finished

    def _is_slow(self, start: float) -> bool:
        now = time.monotonic()
        if now - start > TAKE_SECONDS:
            return True
        return self._stream is not None and self._stream.stalled_seconds(now) > IDLE_SECONDS
