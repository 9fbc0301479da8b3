"""What all handlers have from their base: seen over real connections."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.api.answering import MAX_BODY_BYTES, answering, answering_by, answering_with
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore
from tornado.routing import URLSpec
from tornado.web import RequestHandler

from zerog.model.documents import TypeDocument, write
from zerog_api import routes
from zerog_api.edge.handler import Handler, operation
from zerog_api.edge.operations import Operation
from zerog_api.edge.pages import IndexHandler, StaticHandler
from zerog_api.main import make_parts
from zerog_api.settings import ApiSettings

PROGRESS = {"attempt": 1, "completeness": 0.5, "updatedTime": "2026-01-01T00:00:00Z"}
OPEN = Operation(id="open", tag="system", summary="", verb=None)


class Waits(Handler):
    """A call that waits for its client to leave."""

    path = "/waits"
    begun, left = asyncio.Event(), asyncio.Event()

    @operation(OPEN)
    async def get(self) -> None:
        self.begun.set()
        await self.closed.wait()
        self.left.set()


class Length(Handler):
    """A call that tells how long its body was."""

    path = "/length"

    @operation(Operation(id="length", tag="jobs", summary="", verb=None, parameters=True))
    async def post(self) -> None:
        self.reply(len(self.body))


class Broken(Handler):
    """A call with a bug."""

    path = "/broken"

    @operation(OPEN)
    async def get(self) -> None:
        raise KeyError("a secret")


async def test_a_handler_learns_that_its_client_has_left() -> None:
    Waits.begun, Waits.left = asyncio.Event(), asyncio.Event()
    async with answering_by(Waits) as client, asyncio.timeout(60):
        asking = asyncio.create_task(client.get("/waits"))
        await Waits.begun.wait()
        asking.cancel()
        await Waits.left.wait()


async def test_a_bug_is_told_to_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with answering_by(Broken) as client:
        answer = await client.get("/broken")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert [item.levelno for item in caplog.records] == [logging.ERROR]
    assert "a secret" in caplog.text


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("length", "status"), [(MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)])
async def test_a_body_is_taken_up_to_its_limit(chunked: bool, length: int, status: int) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"x" * (length - 1)
        yield b"x"

    async with answering_by(Length) as client:
        for _ in range(2):  # the connection goes on
            content = parts() if chunked else b"x" * length
            answer = await client.post("/length", content=content)
            assert answer.status_code == status
            assert (
                answer.json() == length if status == 200 else answer.json()["code"] == "too-large"
            )


async def test_answers_say_nothing_of_the_server_and_leave_no_guess() -> None:
    async with answering_by(Length) as client:
        answers = [await client.post("/length"), await client.get("/nothing")]

    for answer in answers:
        assert "Server" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.content.endswith(b"\n")


async def test_a_page_is_sent_compressed_and_once() -> None:
    async with answering_by(IndexHandler, StaticHandler) as client:
        first = await client.get("/static/app.js")
        again = await client.get("/static/app.js", headers={"If-None-Match": first.headers["ETag"]})
        plain = await client.get("/static/app.js", headers={"Accept-Encoding": "identity"})

    assert first.headers["Content-Encoding"] == "gzip"
    assert int(first.headers["Content-Length"]) < len(plain.content) == len(first.content)
    assert (again.status_code, again.content) == (304, b"")


class Other(RequestHandler):
    """A handler of another application."""

    def get(self) -> None:
        self.write("other")


async def test_another_application_has_the_api_under_a_prefix() -> None:
    store = MemoryDatastore()
    await store.upsert("types", "T", write(TypeDocument("T", "default", {"type": "object"})))
    queue: Any = MemoryQueue()
    parts = make_parts(store, queue, ApiSettings(), prefix="/zerog")
    found = [*routes(parts), URLSpec("/other", Other)]

    async with answering(found, parts.edge) as client:
        accepted = await client.post("/zerog/v1/jobs/T", json={})
        job = await client.get(accepted.headers["Location"])
        answers = [await client.get(path) for path in ("/other", "/zerog/v1/queues", "/v1/queues")]

    assert accepted.headers["Location"].startswith("/zerog/v1/jobs/")
    assert job.json()["uuid"] == accepted.json()["uuid"]
    assert [answer.status_code for answer in answers] == [200, 200, 404]


async def test_the_mark_of_a_job_covers_what_lies_beside_its_record() -> None:
    store = MemoryDatastore()
    await store.upsert("types", "T", write(TypeDocument("T", "default", {"type": "object"})))
    async with answering_with(store, MemoryQueue()) as (client, parts):
        uuid = (await client.post("/v1/jobs/T", json={})).json()["uuid"]
        kept = await parts.dispatch.jobs.read(uuid)
        await store.upsert("jobs", uuid, kept.document | {"state": "waiting", "attempt": 1})
        marks: list[httpx.Response] = [await client.get(f"/v1/jobs/{uuid}")]
        await store.upsert("progress", uuid, PROGRESS)
        marks.append(await client.get(f"/v1/jobs/{uuid}"))
        same = await client.get(
            f"/v1/jobs/{uuid}", headers={"If-None-Match": marks[1].headers["ETag"]}
        )

    assert marks[0].headers["ETag"] != marks[1].headers["ETag"]
    assert same.status_code == 304
