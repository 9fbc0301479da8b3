"""A client that leaves, seen by the handler that works for it."""

import asyncio

from tornado.netutil import bind_sockets

from zerog_api.application import Application
from zerog_api.http import Answer, Handler, Request, Response
from zerog_api.server import Server

DEADLINE_SECONDS = 60


async def test_a_handler_learns_that_its_client_has_left() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def handle(request: Request) -> Answer:
        begun.set()
        await request.closed.wait()
        ended.set()
        return Response()

    def find(method: str, path: str) -> tuple[Handler, str]:
        return handle, path

    server = Server(Application(find, max_body_bytes=1000))
    (listening,) = bind_sockets(0, "127.0.0.1")
    server.add_sockets([listening])
    _, writer = await asyncio.open_connection("127.0.0.1", listening.getsockname()[1])
    async with asyncio.timeout(DEADLINE_SECONDS):
        writer.write(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await begun.wait()
        writer.close()
        await ended.wait()
    server.stop()
    await server.close_all_connections()
