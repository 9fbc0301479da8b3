"""Whose rights hold for a job that has moved to a queue with more memory."""

from collections.abc import Iterable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from zerog.model.record import JobRecord, new_job_id
from zerog_api.calls.base import CallHandler

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("allowed", "queue"),
    [
        ({"small", "large"}, "large"),
        ({"small"}, "small"),
        ({"large"}, "large"),
        (set[str](), "large"),
    ],
)
async def test_who_may_in_either_queue_may(allowed: set[str], queue: str) -> None:
    async def among(queues: Iterable[str]) -> list[str]:
        return [name for name in queues if name in allowed]

    record = JobRecord(new_job_id(), "T", "large", NOW, NOW, moved_from="small")
    handler: Any = SimpleNamespace(access=SimpleNamespace(among=among))

    assert await CallHandler.queue_of(handler, record) == queue
