"""The models of answers know what is really answered, and those of requests the real bounds."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from zerog.ledger.codec import write_record
from zerog.ledger.counts import COUNTS
from zerog.model import jsontext, life
from zerog.model.documents import (
    ControlDocument,
    LogLine,
    PoolDocument,
    RunningJob,
    TypeDocument,
    WorkerDocument,
    write,
)
from zerog.model.record import JobRecord, WorkerIdentity, new_job_id
from zerog_api import models, problems
from zerog_api.core import overview
from zerog_api.core.errors import Fault

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
TYPE = TypeDocument("Mail", "mail", {"type": "object"}, introduced_time=NOW)


def record() -> JobRecord:
    return life.accept(uuid=new_job_id(), job_type=TYPE, parameters={"to": "a"}, now=NOW)


def job(**more: Any) -> dict[str, Any]:
    document = jsontext.loads(jsontext.dumps(write_record(record())))
    document = {**document, "data": None, "completeness": 0.0, **more}
    document.pop("hasInputBlob")
    return document


def worker() -> dict[str, Any]:
    running = RunningJob(new_job_id(), "Mail", 0, 1, NOW)
    document = WorkerDocument("w", ["mail"], ["Mail"], 1, [running], "running", NOW, NOW, 5)
    return {
        **overview.shown(document),
        "drain": overview.told_of(ControlDocument("worker", "w", NOW, "ada", "repair")),
    }


def attempt(**more: Any) -> dict[str, Any]:
    identity = write(WorkerIdentity("w", pod="p"))
    return {"number": 1, "worker": identity, "startedTime": "2026-01-31T12:00:00Z", **more}


POOL = write(PoolDocument("shop", "mail", "mail", 0, 9, "as wanted", "True", "", busy=1))
PROBLEM = problems.unprocessable([Fault("$.n", "is required")], "no").to_document()
UUID = str(new_job_id())


@pytest.mark.parametrize(
    ("model", "document"),
    [
        (models.Accepted, {"uuid": UUID}),
        (models.Accepted, {"uuid": UUID, "warning": "its schema is not checked"}),
        (models.BatchAccepted, {"uuids": [UUID]}),
        (models.Job, job()),
        (models.Job, job(attempts=[attempt(), attempt(cause="outOfMemory", message="killed")])),
        (models.Type, {**write(TYPE), "labels": {}, "served": None, "otherVersions": []}),
        (models.Type, {
            **write(TYPE), "labels": {}, "served": True, "templateHash": "b", "otherVersions": [{
                "schemaHash": "a", "queue": "mail", "introducedTime": None, "seenTime": None,
                "served": False,
            }],
        }),
        (models.Type, {
            **write(TypeDocument("Mail", "mail", {}, timeout_seconds=5)), "labels": {"team": "a"},
            "served": False, "otherVersions": [],
        }),
        (models.Worker, worker()),
        (models.Pool, {**POOL, "unservedTypes": None}),
        (models.Line, {"attempt": 1, **write(LogLine(0, NOW, "info", "text", {"n": 1}))}),
        (models.Problem, PROBLEM),
        (models.Problem, problems.internal().to_document()),
        (models.Status, {"status": "ok", "datastore": "ok", "queue": "ok"}),
    ],
)  # fmt: skip
def test_a_real_answer_fits_its_model(model: type[BaseModel], document: dict[str, Any]) -> None:
    made = model.model_validate(document)

    assert made.model_dump(mode="json", by_alias=True, exclude_unset=True) == document


@pytest.mark.parametrize(
    ("model", "document"),
    [
        (models.Accepted, {"uuid": UUID, "warning": None}),
        (models.Accepted, {"uuid": UUID, "more": 1}),
        (models.Job, job(message=None)),
        (models.Job, job(state="done")),
        (models.Job, job(resultCode=-2)),
        (models.Job, job(createdTime="2026-01-31")),
        (models.Job, job(attempts=[attempt(endedTime=None)])),
        (models.Worker, {**worker(), "state": "away"}),
        (models.Pool, POOL),
    ],
)
def test_what_is_never_answered_does_not_fit(
    model: type[BaseModel], document: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(document)


def test_the_history_has_a_list_for_every_count() -> None:
    assert set(models.QueueHistory.model_fields) >= set(COUNTS)


@pytest.mark.parametrize(
    ("values", "accepted"),
    [
        ({}, True),
        ({"timeout": 0}, False),
        ({"timeout": models.MIN_TIMEOUT_SECONDS}, True),
        ({"timeout": models.MAX_TIMEOUT_SECONDS + 1}, False),
        ({"delay": 0}, True),
        ({"delay": models.MAX_DELAY_SECONDS}, True),
        ({"delay": models.MAX_DELAY_SECONDS + 1}, False),
        ({"priority": 9}, True),
        ({"priority": 10}, False),
        ({"priority": None, "delay": None, "startAt": None, "timeout": None}, True),
        ({"delay": None, "startAt": "2026-12-01T00:00:00Z"}, True),
        ({"delay": 1, "startAt": "2026-12-01T00:00:00Z"}, False),
        ({"start_at": "2026-12-01T00:00:00Z"}, False),
    ],
)
def test_the_bounds_are_the_same_in_a_query_and_in_a_batch(
    values: dict[str, Any], accepted: bool
) -> None:
    def fits(read: Callable[[], object]) -> bool:
        try:
            read()
        except ValidationError:
            return False
        return True

    batch = {"jobs": [{"type": "Mail", **values}]}
    assert fits(lambda: models.RunOptions.model_validate(values, by_name=False)) is accepted
    assert fits(lambda: models.Batch.model_validate(batch, by_name=False)) is accepted
