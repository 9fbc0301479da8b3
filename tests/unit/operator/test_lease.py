"""Who may take the Lease, and when a holder stops: over virtual time."""

import asyncio
import copy
from typing import Any

import pytest
from tests.unit.operator.virtual_time import run_virtually

from zerog_operator.cluster import CallError
from zerog_operator.lease import LEASE_SECONDS, RENEW_SECONDS, TRY_SECONDS, Lease, Seen, may_take

TAKEOVER_SECONDS = 15.0


@pytest.mark.parametrize(
    ("holder", "age", "may"),
    [
        ("", 0.0, True),
        ("me", 0.0, True),
        ("other", 0.0, False),
        ("other", LEASE_SECONDS - 0.1, False),
        ("other", LEASE_SECONDS, True),
    ],
)
def test_a_lease_is_taken_when_it_is_free_ours_or_not_renewed(
    holder: str, age: float, may: bool
) -> None:
    assert may_take(Seen("1", holder, at=100.0), "me", 100.0 + age) is may


class Leases:
    """The calls of `Cluster` that a Lease makes, on one Lease."""

    def __init__(self) -> None:
        #: As an installation makes it; None once somebody has deleted it.
        self.lease: dict[str, Any] | None = {"metadata": {"name": "zerog", "resourceVersion": "0"}}
        self.version = 0
        #: Who gets no answer: each call takes as long as it may.
        self.silent: set[str] = set()
        #: When it was written last.
        self.written = 0.0

    def of(self, identity: str) -> Lease:
        """Return a candidate."""
        return Lease(_Calls(self, identity), "here", "zerog", identity)  # type: ignore[arg-type]


class _Calls:
    def __init__(self, leases: Leases, identity: str) -> None:
        self._leases, self._identity = leases, identity

    async def read_lease(self, namespace: str, name: str) -> dict[str, Any]:
        await self._wait()
        return copy.deepcopy(self._there())

    async def write_lease(self, namespace: str, lease: dict[str, Any]) -> bool:
        await self._wait()
        if lease["metadata"]["resourceVersion"] != self._there()["metadata"]["resourceVersion"]:
            return False
        self._leases.version += 1
        metadata = {"name": "zerog", "resourceVersion": str(self._leases.version)}
        self._leases.lease = {**lease, "metadata": metadata}
        self._leases.written = asyncio.get_running_loop().time()
        return True

    def _there(self) -> dict[str, Any]:
        if self._leases.lease is None:
            raise CallError(404, "NotFound", "there is no Lease")
        return self._leases.lease

    async def _wait(self) -> None:
        if self._identity in self._leases.silent:
            await asyncio.sleep(1000)
            raise CallError(0, "Unreachable", "no answer")


class Candidate:
    """Somebody who acts for ever once it may."""

    def __init__(self, leases: Leases, identity: str) -> None:
        self.began: float | None = None
        self.ended: float | None = None
        self.done = asyncio.Event()
        self.task = asyncio.create_task(leases.of(identity).lead(self._act))

    async def _act(self) -> None:
        loop = asyncio.get_running_loop()
        self.began = loop.time()
        try:
            await self.done.wait()
        finally:
            self.ended = loop.time()


def test_a_holder_that_gets_no_answer_stops_before_somebody_else_may_begin() -> None:
    async def play() -> None:
        leases = Leases()
        first = Candidate(leases, "first")
        await asyncio.sleep(30)
        second = Candidate(leases, "second")
        await asyncio.sleep(30)
        assert second.began is None
        last_renewed = leases.written

        leases.silent = {"first"}
        assert await first.task is False
        await asyncio.sleep(30)

        assert first.ended is not None
        assert second.began is not None
        assert first.ended - last_renewed <= RENEW_SECONDS + TRY_SECONDS < LEASE_SECONDS
        assert first.ended < second.began
        assert second.began - last_renewed <= TAKEOVER_SECONDS
        second.task.cancel()

    run_virtually(play())


def test_a_standby_begins_at_once_when_the_holder_ends_in_good_order() -> None:
    async def play() -> None:
        leases = Leases()
        first, second = Candidate(leases, "first"), Candidate(leases, "second")
        await asyncio.sleep(30)

        first.done.set()
        assert await first.task is True
        await asyncio.sleep(2 * TRY_SECONDS)

        assert second.began is not None
        assert first.ended is not None
        assert first.ended < second.began
        second.task.cancel()

    run_virtually(play())


def test_who_ends_in_good_order_names_no_holder_and_keeps_count_of_them() -> None:
    async def play() -> None:
        leases = Leases()
        for turn in (1, 2):
            only = Candidate(leases, "only")
            await asyncio.sleep(30)
            only.done.set()
            await only.task

            assert leases.lease is not None
            assert "holderIdentity" not in leases.lease["spec"]
            assert leases.lease["spec"]["leaseTransitions"] == turn

    run_virtually(play())


def test_a_holder_whose_lease_is_deleted_stops_and_makes_no_other() -> None:
    async def play() -> None:
        leases = Leases()
        first = Candidate(leases, "first")
        await asyncio.sleep(30)

        leases.lease = None
        assert await first.task is False

        assert first.ended is not None
        assert first.ended <= 30 + RENEW_SECONDS + 2 * TRY_SECONDS
        assert leases.lease is None

    run_virtually(play())


def test_a_candidate_waits_for_a_lease_that_is_not_there_yet() -> None:
    async def play() -> None:
        leases = Leases()
        made, leases.lease = leases.lease, None
        first = Candidate(leases, "first")
        await asyncio.sleep(30)
        assert first.began is None

        leases.lease = made
        await asyncio.sleep(2 * TRY_SECONDS)

        assert first.began is not None
        first.task.cancel()

    run_virtually(play())


def test_a_holder_stops_at_once_when_it_sees_that_somebody_else_holds_the_lease() -> None:
    async def play() -> None:
        leases = Leases()
        first = Candidate(leases, "first")
        await asyncio.sleep(30)
        assert leases.lease is not None

        # It was deleted and made again, and another one was faster.
        leases.lease["metadata"]["resourceVersion"] = "other"
        leases.lease["spec"]["holderIdentity"] = "second"
        assert await first.task is False

        assert first.ended is not None
        assert first.ended <= 30 + 2 * TRY_SECONDS

    run_virtually(play())


def test_calls_that_fail_for_a_moment_cost_nobody_the_lease() -> None:
    async def play() -> None:
        leases = Leases()
        first = Candidate(leases, "first")
        for _ in range(5):
            await asyncio.sleep(10)
            leases.silent = {"first"}
            await asyncio.sleep(2)
            leases.silent = set()

        assert first.ended is None
        assert not first.task.done()
        first.task.cancel()

    run_virtually(play())
