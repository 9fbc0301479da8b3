"""What a request costs the API, in counts that no machine and no neighbour changes.

A count that grows makes every request dearer: find out why before raising what is kept here. One
that shrinks is kept, so that it does not grow again unseen.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.api.answering import answering_with
from tests.counting import CountedQueue, count_statements, counting_calls, within_margins

from zerog.model.documents import TypeDocument, write
from zerog.store.sqlite.store import SqliteDatastore
from zerog_api.core import served, types

REQUESTS = 200
#: Of one request, on a connection that is kept.
COSTS = {
    "POST": {"calls": 429.0, "statements": 1.0, "transactions": 1.0, "commands": 1.0},
    "GET": {"calls": 322.0, "statements": 1.0, "transactions": 0.0, "commands": 0.0},
}
TYPE = TypeDocument("Noop", "default", {"properties": {"n": {"type": "integer"}}})
Ask = Callable[[str, str, bytes], Awaitable[bytes]]


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Ask]:
    """Give what makes a request on one connection, as cheap clients make it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask(method: str, path: str, body: bytes) -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        return await reader.readexactly(int(answer.split(b"Content-Length: ")[1].split()[0]))

    yield ask
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("method", COSTS)
async def test_a_request_costs_the_api_no_more_than_before(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: Counter[str] = Counter()
    count_statements(monkeypatch, found)
    monkeypatch.setattr(types, "REFRESH_SECONDS", float("inf"))
    monkeypatch.setattr(served, "LOOK_SECONDS", float("inf"))
    store = await SqliteDatastore.open(tmp_path / "zerog.db", 60)
    await store.insert("types", "Noop", write(TYPE))

    async with (
        answering_with(store, CountedQueue(found)) as (client, _),
        connected(client.base_url.port or 0) as ask,
    ):
        uuid = json.loads(await ask("POST", "/v1/jobs/Noop", b"{}"))["uuid"]
        path = "/v1/jobs/Noop" if method == "POST" else f"/v1/jobs/{uuid}/progress"
        body = b'{"n": 1}' if method == "POST" else b""
        found.clear()
        with counting_calls(found):
            for _ in range(REQUESTS):
                await ask(method, path, body)
    costs = {name: found[name] / REQUESTS for name in COSTS[method]}

    await store.close()
    assert costs == within_margins(COSTS[method])
