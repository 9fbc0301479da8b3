"""A beanstalkd as seen through a bad network: a proxy that reads the commands that pass.

It knows which tube a put goes to and which entries are retire tokens, so that a trap can hold
exactly the step that a test is about. A held connection stays held: commands are in order.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from zerog.queue.beanstalk.wire import ReplyReader
from zerog_tools.cluster.ports import free_port

from .proxy import LoopThread, Trap

TOKEN = b"retire"


@dataclass(frozen=True, slots=True)
class QueueCall:
    """A command to beanstalkd, or its answer `reserved` to one that waited for an entry."""

    verb: str
    #: Of a put.
    tube: str = ""
    #: Whether it is about a retire token or what was put for one worker.
    of_token: bool = False


class QueueProxy:
    """A proxy in front of a beanstalkd."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self.port = free_port()
        self.calls: list[QueueCall] = []
        self._traps: list[Trap[QueueCall]] = []
        self._tokens: set[str] = set()
        self._loop = LoopThread()
        self._server = self._loop.run(asyncio.start_server(self._connected, "127.0.0.1", self.port))

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def trap(self, fits: Callable[[QueueCall], bool], *, after: bool) -> Trap[QueueCall]:
        """Hold the first such command, and its connection, for good."""
        made = Trap(fits, after)
        self._traps.append(made)
        return made

    def close(self) -> None:
        """End it and all connections."""
        self._loop.run(self._stop())
        self._loop.stop()

    async def _stop(self) -> None:
        self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The stream's own callback has no sense for a cancelled task: its end is a return.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            there = await asyncio.open_connection("127.0.0.1", self._server_port)
            connection = _Connection(self, (reader, writer), there)
            await connection.run()
        writer.transport.abort()

    def catch(self, call: QueueCall) -> Trap[QueueCall] | None:
        """Note a command and return the trap that holds it."""
        self.calls.append(call)
        return next((trap for trap in self._traps if trap.catch(call)), None)

    def note_token(self, entry: str) -> None:
        """Remember that an entry is a token."""
        self._tokens.add(entry)

    def is_token(self, entry: str) -> bool:
        """Whether an entry is a token."""
        return entry in self._tokens


_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    """One client's connection, and the one to the server that goes with it."""

    def __init__(self, proxy: QueueProxy, client: _Streams, server: _Streams) -> None:
        self._proxy = proxy
        self._client, self._client_out = client
        self._server, self._server_out = server
        self._tube = "default"
        self._replies = ReplyReader()
        self._held = False
        self._answered: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Pass everything on until one side ends."""
        pumps = [asyncio.create_task(self._pass_commands()),
                 asyncio.create_task(self._pass_replies())]  # fmt: skip
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._server_out.transport.abort()

    async def _pass_commands(self) -> None:
        while line := await self._client.readline():
            words = line.decode().split()
            data = line
            if words[0] == "put":
                data += await self._client.readexactly(int(words[4]) + 2)
            elif words[0] == "use":
                self._tube = words[1]
            call = QueueCall(
                words[0],
                self._tube if words[0] == "put" else "",
                words[0] in ("delete", "release") and self._proxy.is_token(words[1]),
            )
            trap = self._proxy.catch(call)
            if trap is not None:
                await self._hold(trap, data)
            self._server_out.write(data)
            await self._server_out.drain()

    async def _hold(self, trap: Trap[QueueCall], data: bytes) -> None:
        self._held = True
        if trap.after:
            self._answered = asyncio.get_running_loop().create_future()
            self._server_out.write(data)
            await self._answered
        trap.spring()
        # Until the client is gone; the server then sees its connection end, too.
        while await self._client.read(4096):
            pass
        raise ConnectionResetError

    async def _pass_replies(self) -> None:
        while data := await self._server.read(65536):
            for reply in self._replies.feed(data):
                if reply.word == b"RESERVED" and reply.body == TOKEN:
                    self._proxy.note_token(reply.args[0].decode())
                    trap = self._proxy.catch(QueueCall("reserved", of_token=True))
                    if trap is not None:
                        self._held = True
                        trap.spring()
            if self._held:
                if self._answered is not None and not self._answered.done():
                    self._answered.set_result(None)
                continue
            self._client_out.write(data)
            await self._client_out.drain()
