"""Who is asked for its own writes waits for the indexes; nobody else does."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.api.answering import answering_with
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore

from zerog.ledger import types
from zerog.model.documents import TypeDocument
from zerog.store.port import JobFilter, Page, Stored

Ask = Callable[[httpx.AsyncClient], Any]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class LateStore(MemoryDatastore):
    """Finds what was written only if it must: its indexes never catch up."""

    async def scan(self, collection: Any, *, fresh: bool = False) -> dict[str, Stored]:
        return await super().scan(collection) if fresh else {}

    async def list_jobs(self, job_filter: JobFilter, *, fresh: bool = False, **more: Any) -> Page:
        return await super().list_jobs(job_filter, **more) if fresh else Page()


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.get("/v1/jobs"),
        lambda client: client.get("/v1/jobs?state=queued&type=Send&queue=mail"),
        lambda client: client.post("/v1/jobs:cancel", json={"filter": {"type": "Send"}}),
    ],
    ids=["list", "filter", "cancel many"],
)
async def test_a_client_finds_the_job_that_it_has_submitted(ask: Ask) -> None:
    store = LateStore()
    await types.register(store, [TypeDocument("Send", "mail", {"type": "object"})], NOW)
    async with answering_with(store, MemoryQueue()) as (client, _):
        (await client.post("/v1/jobs/Send", json={})).raise_for_status()

        answer = (await ask(client)).raise_for_status().json()

    assert answer.get("changed") == 1 or len(answer["jobs"]) == 1
