"""Jobs with labels and a time to start by: submitted, found, changed and deleted by filter."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.api.answering import answering_with
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore

from zerog.ledger.controls import hold
from zerog.model.documents import ControlDocument, TypeDocument, write
from zerog.model.record import State
from zerog_api import models
from zerog_api.calls.base import Parts

LATER = "2026-06-01T00:00:00Z"


@pytest.fixture
def store() -> MemoryDatastore:
    return MemoryDatastore()


@pytest.fixture
async def api(store: MemoryDatastore) -> AsyncIterator[tuple[httpx.AsyncClient, Parts]]:
    """Give the API, with a type of jobs whose labels say so."""
    mail = TypeDocument("Mail", "mail", {"type": "object"}, labels=["team=post"])
    await store.upsert("types", "Mail", write(mail))
    async with answering_with(store, MemoryQueue()) as found:
        yield found


async def submit(client: httpx.AsyncClient, **options: Any) -> str:
    answer = await client.post("/v1/jobs/Mail", params=options, json={})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["uuid"])


async def listed(client: httpx.AsyncClient, **query: Any) -> list[str]:
    page = (await client.get("/v1/jobs", params=query)).json()
    models.Page.model_validate(page)
    return [job["uuid"] for job in page["jobs"]]


async def test_a_job_shows_its_types_labels_and_its_own(
    api: tuple[httpx.AsyncClient, Parts],
) -> None:
    client, _ = api
    uuid = await submit(client, label=["run=7", "team=it"], expiresAt=LATER)

    answers = [(await client.get(f"/v1/jobs/{uuid}{what}")).json() for what in ("", "/info")]

    models.Job.model_validate(answers[0])
    models.Info.model_validate(answers[1])
    for answer in answers:
        assert answer["labels"] == {"run": "7", "team": "it"}
        assert answer["expiresTime"] == LATER
    assert (await client.get("/v1/types/Mail")).json()["labels"] == {"team": "post"}


async def test_jobs_of_a_batch_have_labels_too(api: tuple[httpx.AsyncClient, Parts]) -> None:
    client, _ = api
    jobs = [{"type": "Mail", "labels": {"run": "7"}}, {"type": "Mail", "expiresAt": LATER}]

    uuids = (await client.post("/v1/jobs:batch", json={"jobs": jobs})).json()["uuids"]

    assert await listed(client, label="run=7") == uuids[:1]
    assert await listed(client, label="team=post") == uuids[::-1]


async def test_jobs_are_found_by_how_their_uuids_begin_and_by_when_they_came(
    api: tuple[httpx.AsyncClient, Parts],
) -> None:
    client, _ = api
    uuid = await submit(client)

    assert await listed(client, uuidPrefix=uuid[:18]) == [uuid]
    assert await listed(client, uuidPrefix="ffffffff") == []
    assert await listed(client, submittedAfter="2020-01-01T00:00:00Z") == [uuid]
    assert await listed(client, submittedBefore="2020-01-01T00:00:00Z") == []


async def test_a_repeat_with_another_label_is_another_call(
    api: tuple[httpx.AsyncClient, Parts],
) -> None:
    client, _ = api
    headers = {"Idempotency-Key": "k"}

    answers = [
        await client.post("/v1/jobs/Mail", params={"label": label}, json={}, headers=headers)
        for label in ("run=1", "run=1", "run=2")
    ]

    assert [answer.status_code for answer in answers] == [201, 201, 409]


async def test_finished_jobs_are_deleted_by_filter(api: tuple[httpx.AsyncClient, Parts]) -> None:
    client, parts = api
    kept, gone, open_one = [await submit(client, label=f"run={run}") for run in (1, 2, 2)]
    for uuid in (kept, gone):
        await parts.dispatch.cancel(uuid)

    answer = await client.post("/v1/jobs:delete", json={"filter": {"label": "run=2"}})

    assert answer.json() == {"changed": 1, "more": False}
    assert await listed(client) == [open_one, kept]


async def test_a_change_by_filter_may_be_for_causes_and_times(
    api: tuple[httpx.AsyncClient, Parts], store: MemoryDatastore
) -> None:
    client, parts = api
    slow, broken = await submit(client), await submit(client)
    for uuid, cause in ((slow, "timeout"), (broken, "error")):
        await parts.dispatch.cancel(uuid)
        stored = await store.get("jobs", uuid)
        assert stored is not None
        failed = {**stored.document, "state": "failed", "cause": cause}
        await store.upsert("jobs", uuid, failed)
    chosen = {"cause": ["timeout"], "endedAfter": "2020-01-01T00:00:00Z"}

    answer = await client.post("/v1/jobs:retry", json={"filter": chosen})

    assert answer.json() == {"changed": 1, "more": False}
    states = [(await parts.dispatch.jobs.read(uuid)).record.state for uuid in (slow, broken)]
    assert states == [State.QUEUED, State.FAILED]


async def test_who_submits_to_a_paused_queue_is_told_and_so_is_who_looks(
    api: tuple[httpx.AsyncClient, Parts], store: MemoryDatastore
) -> None:
    client, _ = api
    since = datetime(2026, 1, 1, tzinfo=UTC)
    await hold(store, ControlDocument("queue", "mail", since, "ada", "relay is down"))

    answer = (await client.post("/v1/jobs/Mail", json={})).json()
    info = (await client.get(f"/v1/jobs/{answer['uuid']}/info")).json()

    models.Accepted.model_validate(answer)
    assert "the queue mail is paused by ada (relay is down)" in answer["warning"]
    models.Info.model_validate(info)
    assert info["paused"] == {
        "since": "2026-01-01T00:00:00Z", "by": "ada", "reason": "relay is down"
    }  # fmt: skip


async def test_a_filter_has_no_more_labels_than_a_job(
    api: tuple[httpx.AsyncClient, Parts],
) -> None:
    client, _ = api
    labels = [f"key-{number}=a" for number in range(33)]

    answers = [
        await client.post("/v1/jobs:cancel", json={"filter": {"label": labels[:count]}})
        for count in (32, 33)
    ]

    assert [answer.status_code for answer in answers] == [200, 422]
    [fault] = answers[1].json()["errors"]
    assert (fault["path"], fault["message"]) == (
        "$.filter.label", "must have at most 32 labels, as a job has",
    )  # fmt: skip
