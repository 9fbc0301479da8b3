"""An authority that a test plays."""

import asyncio

from zerog_api.auth.access import Verb
from zerog_api.auth.authority import AuthorityAwayError, Caller, Known
from zerog_api.auth.gate import Gate
from zerog_api.edge.limits import Buckets, InFlight

GOOD, SLOW = "good-token", "slow-token"


class Scripted:
    """An authority that knows one token at once and another after asking."""

    def __init__(self) -> None:
        self.away = self.ended = False
        self.asked = 0
        #: What every answer waits for.
        self.answers: asyncio.Event | None = None

    def recall(self, token: str) -> Known | None:
        return Known(Caller("shop")) if token == GOOD else None

    async def identify(self, token: str) -> Caller | None:
        self.asked += 1
        if self.answers is not None:
            await self.answers.wait()
        if self.away:
            raise AuthorityAwayError
        return Caller("shop") if token in (GOOD, SLOW) and not self.ended else None

    async def may(self, caller: Caller, verb: Verb, queue: str | None) -> bool:
        if self.away:
            raise AuthorityAwayError
        return queue == "mail"

    async def close(self) -> None:
        pass


def gate_of(authority: Scripted, *, rate: float = 0, burst: float = 1, most: int = 0) -> Gate:
    """Make a gate for it; 0 means without limit."""
    return Gate(authority, Buckets(rate, burst), InFlight(most), Buckets(rate, burst))
