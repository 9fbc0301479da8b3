"""One active operator: whoever holds the Lease acts, the others wait.

Written on the Lease itself: kopf's peering needs a resource of its own, waits 60 s after a crash
and freezes both of two equals; the official client's election does not give its Lease up on a
clean end and ends at the first call without an answer. Times are measured by one's own clock
since one saw the Lease change, so clocks need not agree (as in client-go's leaderelection).

The Lease object comes with the installation, empty, and goes with it: it is only ever updated here,
so that an operator that outlives its installation does not leave one behind.

The invariant: a holder that could not renew for `RENEW_SECONDS` stops acting before
`LEASE_SECONDS` are over, when somebody else may take the Lease.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from zerog_operator.cluster import CallError, Cluster

log = logging.getLogger(__name__)

#: A holder that is gone is replaced after this and one try more: well within 15 s.
LEASE_SECONDS = 10.0
RENEW_SECONDS = 7.0
TRY_SECONDS = 1.0


@dataclass(slots=True)
class Seen:
    """The Lease as last seen, and when it was first seen so."""

    version: str = ""
    holder: str = ""
    at: float = 0.0


def may_take(seen: Seen, identity: str, now: float) -> bool:
    """Whether the Lease is free, ours, or held by somebody who has not renewed it. Pure."""
    return seen.holder in ("", identity) or now - seen.at >= LEASE_SECONDS


def _now() -> float:
    return asyncio.get_running_loop().time()


class Lease:
    """One candidate's view of the Lease."""

    def __init__(self, cluster: Cluster, namespace: str, name: str, identity: str) -> None:
        self._cluster = cluster
        self._namespace, self._name, self.identity = namespace, name, identity
        self._seen = Seen()

    async def lead(self, act: Callable[[], Awaitable[None]]) -> bool:
        """Wait for the Lease, then act. True if acting ended by itself, False if the Lease was
        lost; acting is cancelled then."""
        renewed = _now()
        while not await self._try(renewed):
            await asyncio.sleep(TRY_SECONDS)
            renewed = _now()
        log.info("%s is the active operator", self.identity)
        acting = asyncio.ensure_future(act())
        try:
            while not acting.done():
                await asyncio.wait({acting}, timeout=TRY_SECONDS)
                # Others see the Lease change at any time from now on, not when we hear of it.
                tried = _now()
                if await self._try(renewed):
                    renewed = tried
                elif self._is_anothers or _now() - renewed >= RENEW_SECONDS:
                    log.error("the Lease is lost")
                    return False
            await acting
            return True
        finally:
            if acting.done():
                await self._give_up()
            acting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await acting

    @property
    def _is_anothers(self) -> bool:
        return self._seen.holder not in ("", self.identity)

    async def _try(self, renewed: float) -> bool:
        """Take or renew the Lease; whether we hold it now. No answer means no."""
        left = max(0.0, renewed + RENEW_SECONDS - _now())
        try:
            async with asyncio.timeout(min(RENEW_SECONDS / 2, left)):
                return await self._take()
        except (CallError, TimeoutError) as error:
            missing = isinstance(error, CallError) and error.status == 404
            hint = "; it comes with the chart, or with manifests/rbac" if missing else ""
            log.warning("the Lease cannot be had: %s%s", error, hint)
            return False

    async def _take(self) -> bool:
        lease = await self._cluster.read_lease(self._namespace, self._name)
        version = lease["metadata"]["resourceVersion"]
        if version != self._seen.version:
            self._seen = Seen(version, _holder(lease), _now())
        if not may_take(self._seen, self.identity, _now()):
            return False
        spec = self._renewed(lease.get("spec", {}))
        if not await self._cluster.write_lease(self._namespace, {**lease, "spec": spec}):
            return False
        self._seen = Seen("", self.identity, _now())
        return True

    async def _give_up(self) -> None:
        """Name no holder any more, so that the next one waits for nothing."""
        with contextlib.suppress(CallError, TimeoutError):
            async with asyncio.timeout(RENEW_SECONDS / 2):
                lease = await self._cluster.read_lease(self._namespace, self._name)
                if _holder(lease) == self.identity:
                    del lease["spec"]["holderIdentity"]
                    await self._cluster.write_lease(self._namespace, lease)

    def _renewed(self, before: Mapping[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        spec = dict(before)
        if spec.get("holderIdentity") != self.identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = int(spec.get("leaseTransitions", 0)) + 1
        spec |= {"renewTime": now, "leaseDurationSeconds": int(LEASE_SECONDS)}
        spec["holderIdentity"] = self.identity
        return spec


def _holder(lease: Mapping[str, Any]) -> str:
    return lease.get("spec", {}).get("holderIdentity") or ""
