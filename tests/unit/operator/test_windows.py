"""Windows: which are open, what they allow, when that changes, and what a pool makes of it."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from zerog_operator.model import (
    Decision,
    LimitedBy,
    Observation,
    QueueReading,
    WorkerPod,
    Workers,
    WorkerState,
)
from zerog_operator.pool import PoolSpec, Scaling, Window
from zerog_operator.scaling import CHECK_EMPTY_SECONDS, History, decide
from zerog_operator.windows import bounds_at

BERLIN = "Europe/Berlin"
HOUR = 3600
OFFICE = Window("0 8 * * 1-5", 10 * HOUR, BERLIN, min_replicas=5, max_replicas=50)
NIGHT = Window("0 22 * * *", 8 * HOUR, BERLIN, max_replicas=2)
LUNCH = Window("0 12 * * *", HOUR, BERLIN, min_replicas=8)
AT_ONCE = Scaling(jobs_per_worker=1, target_start_seconds=None, scale_down_delay_seconds=0)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).timestamp()


def build_spec(*windows: Window, **spec: Any) -> PoolSpec:
    bounds = {"min_replicas": 1, "max_replicas": 10, **spec}
    return PoolSpec("media", scaling=AT_ONCE, windows=windows, **bounds)


@pytest.mark.parametrize(
    ("windows", "now", "least", "most"),
    [
        ((), "2026-06-01T09:00", 1, 10),
        ((OFFICE,), "2026-06-01T07:59:59", 1, 10),
        ((OFFICE,), "2026-06-01T08:00", 5, 50),
        ((OFFICE,), "2026-06-01T17:59:59", 5, 50),
        ((OFFICE,), "2026-06-01T18:00", 1, 10),
        ((OFFICE,), "2026-06-06T09:00", 1, 10),  # a Saturday
        # Across midnight.
        ((NIGHT,), "2026-06-02T05:59", 1, 2),
        ((NIGHT,), "2026-06-02T06:00", 1, 10),
        # What a window leaves out is the pool's.
        ((LUNCH,), "2026-06-01T12:30", 8, 10),
        # Several: the largest of each.
        ((OFFICE, LUNCH), "2026-06-01T12:30", 8, 50),
        ((replace(NIGHT, cron="0 8 * * *"), OFFICE), "2026-06-01T12:30", 5, 50),
        # The bound that is left out gives way to the one that is not.
        ((replace(LUNCH, min_replicas=20),), "2026-06-01T12:30", 20, 20),
        ((replace(NIGHT, max_replicas=0),), "2026-06-01T23:00", 0, 0),
        # It opens again before it has closed: it stays open.
        ((replace(LUNCH, cron="0 * * * *", duration_seconds=2 * HOUR),), "2026-06-01T03:30", 8, 10),
        # At night the clocks go forward: eight hours end at seven.
        ((NIGHT,), "2026-03-29T06:59", 1, 2),
        ((NIGHT,), "2026-03-29T07:00", 1, 10),
        # And back: they end at five.
        ((NIGHT,), "2026-10-25T04:59", 1, 2),
        ((NIGHT,), "2026-10-25T05:00", 1, 10),
    ],
)
def test_the_bounds_are_the_largest_of_the_open_windows(
    windows: tuple[Window, ...], now: str, least: int, most: int
) -> None:
    bounds = bounds_at(build_spec(*windows), at(now))

    assert (bounds.least, bounds.most) == (least, most)


@pytest.mark.parametrize(
    ("now", "change"),
    [
        ("2026-06-01T07:00", "2026-06-01T08:00"),
        ("2026-06-01T08:00", "2026-06-01T12:00"),
        ("2026-06-01T12:59:59.5", "2026-06-01T13:00"),
        ("2026-06-01T17:00", "2026-06-01T18:00"),
        ("2026-06-01T18:00", "2026-06-02T08:00"),
    ],
)
def test_the_next_change_is_known(now: str, change: str) -> None:
    spec = build_spec(OFFICE, Window("0 12 * * 1-5", HOUR, BERLIN, min_replicas=8))

    left = bounds_at(spec, at(now)).seconds_left

    assert left is not None
    assert at(now) + left == pytest.approx(at(change))


class Pool:
    """A pool whose pods are ready at once and go when told."""

    def __init__(self, spec: PoolSpec) -> None:
        self.spec, self.history = spec, History()
        self.ready = 0

    def look(self, now: str, **observed: float) -> Decision:
        """Decide at a moment, and do it."""
        time = at(now)
        pods = tuple(
            WorkerPod(f"w{n}", f"w{n}", "1", 0.0, WorkerState.READY, self.spec.template_hash)
            for n in range(self.ready)
        )
        reading = QueueReading(time=time, server="s")
        ahead = observed.get("ahead_seconds", 0.0)
        seen = Observation(reading, Workers(pods), ahead_seconds=ahead)
        decision, self.history = decide(self.spec, seen, self.history, time)
        self.ready += decision.create - decision.tokens_to_put
        return decision


def test_a_pool_has_its_workers_while_the_window_is_open_and_says_why() -> None:
    pool = Pool(build_spec(OFFICE))

    before, opened, later, closed = (
        pool.look(f"2026-06-01T{time}") for time in ("07:59:59", "08:00", "12:00", "18:00")
    )

    assert [each.replicas for each in (before, opened, later, closed)] == [1, 5, 5, 1]
    assert (opened.create, closed.tokens_to_put) == (4, 4)
    assert opened.limited_by is LimitedBy.MIN_REPLICAS
    assert later.reason == opened.reason
    assert opened.reason == (
        "nothing to do: 0 workers; raised by minReplicas to 5; window 0 8 * * 1-5 "
        "Europe/Berlin is open until 2026-06-01 18:00: at least 5, at most 50"
    )
    assert "window" not in before.reason + closed.reason


def test_a_window_is_looked_at_when_it_opens() -> None:
    pool = Pool(build_spec(OFFICE, min_replicas=0))

    early, just_before = pool.look("2026-06-01T07:00"), pool.look("2026-06-01T07:59:59.8")

    assert early.next_check_seconds == CHECK_EMPTY_SECONDS
    assert just_before.next_check_seconds == pytest.approx(0.2)


def test_windows_go_by_the_wall_clock_though_decisions_do_not() -> None:
    pool = Pool(build_spec(OFFICE))

    # The machine's clock was set forward by an hour, and is at nine now.
    assert pool.look("2026-06-01T08:00", ahead_seconds=-HOUR).replicas == 5
    assert pool.look("2026-06-01T17:30", ahead_seconds=-HOUR).replicas == 1


def test_a_window_rolls_no_worker() -> None:
    template = {"spec": {"containers": [{"name": "worker"}]}}

    assert build_spec(template=template).template_hash == (
        build_spec(OFFICE, template=template).template_hash
    )
