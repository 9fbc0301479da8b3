"""What the operator tells the web page of its pools."""

from dataclasses import replace
from typing import Any

import pytest
from tests.store.memory import MemoryDatastore

from zerog_operator.board import AGAIN_SECONDS, EXPIRE_SECONDS, WRITE_SECONDS, Board, pool_document
from zerog_operator.pool import PoolSpec, Window

KEY = ("team", "media")
SPEC = PoolSpec(queue="pictures", min_replicas=1, max_replicas=9)


class Counting(MemoryDatastore):
    """Counts what is written."""

    writes = 0

    async def upsert(self, *arguments: Any, **options: Any) -> str:
        self.writes += 1
        return await super().upsert(*arguments, **options)


def status(**changes: Any) -> dict[str, Any]:
    return {
        "conditions": [{"type": "Ready", "status": "True", "message": "2 workers are ready"}],
        "desiredReplicas": 2,
        "readyReplicas": 2,
        "busy": 1,
        "lastDecision": {"replicas": 2, "reason": "two jobs are there"},
        **changes,
    }


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def store(now: list[float]) -> Counting:
    return Counting(lambda: now[0])


async def test_a_pool_is_told_with_its_last_decision(store: Counting) -> None:
    board = Board()

    board.show(KEY, SPEC, status(), 1000.0)
    await board.write(store, 1000.0)

    assert {name: item.document for name, item in (await store.scan("pools")).items()} == {
        "team::media": {
            "namespace": "team",
            "name": "media",
            "queue": "pictures",
            "minReplicas": 1,
            "maxReplicas": 9,
            "desiredReplicas": 2,
            "readyReplicas": 2,
            "busy": 1,
            "decision": "two jobs are there",
            "ready": "True",
            "message": "2 workers are ready",
        }
    }


async def test_what_has_not_changed_is_written_again_only_before_it_expires(
    store: Counting,
) -> None:
    board = Board()
    for second in range(int(AGAIN_SECONDS)):
        board.show(KEY, SPEC, status(), 1000.0)
        await board.write(store, 1000.0 + second)
    assert store.writes == 1

    await board.write(store, 1000.0 + AGAIN_SECONDS)

    assert store.writes == 2
    assert AGAIN_SECONDS < EXPIRE_SECONDS


async def test_a_pool_that_is_gone_is_told_no_more(store: Counting) -> None:
    board = Board()
    board.show(KEY, SPEC, status(), 1000.0)
    await board.write(store, 1000.0)

    board.forget(KEY)
    await board.write(store, 1001.0)

    assert await store.scan("pools") == {}


async def test_of_an_operator_that_died_nothing_is_told_for_long(
    store: Counting, now: list[float]
) -> None:
    board = Board()
    board.show(KEY, SPEC, status(), 1000.0)
    await board.write(store, 1000.0)

    now[0] += EXPIRE_SECONDS + 1

    assert await store.scan("pools") == {}


async def test_changes_are_written_now_and_then(store: Counting) -> None:
    board = Board()
    for tenth in range(int(WRITE_SECONDS * 10)):
        board.show(KEY, SPEC, status(busy=tenth), 1000.0)
        await board.work(store, 1000.0 + tenth / 10)
    assert store.writes == 1

    await board.work(store, 1000.0 + WRITE_SECONDS)

    assert store.writes == 2


async def test_a_pool_whose_document_is_refused_hides_no_other(store: Counting) -> None:
    board = Board()
    board.show(("team", "x" * 300), SPEC, status(), 1000.0)
    board.show(KEY, SPEC, status(), 1000.0)

    await board.write(store, 1000.0)

    assert list(await store.scan("pools")) == ["team::media"]


def test_while_a_window_is_open_its_bounds_are_shown() -> None:
    hour = Window(
        cron="0 * * * *", time_zone="UTC", duration_seconds=600, min_replicas=4, max_replicas=20
    )
    spec = replace(SPEC, windows=(hour,))

    inside, after = (pool_document(KEY, spec, status(), now) for now in (3600.0 + 5, 3600.0 + 605))

    assert (inside.min_replicas, inside.max_replicas) == (4, 20)
    assert (after.min_replicas, after.max_replicas) == (1, 9)
