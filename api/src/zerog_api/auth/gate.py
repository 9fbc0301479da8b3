"""The gate in front of the calls: who is it, and how much have they asked already.

Anonymous calls do not pass here. For all others: without a good token 401, with too many calls
429, and with an authority that is away 503.
"""

import asyncio
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable

from zerog_api.auth.access import CheckedAccess, Verb
from zerog_api.auth.authority import Authority, AuthorityAwayError, Caller, fingerprint
from zerog_api.edge.clients import network_of
from zerog_api.edge.limits import Buckets, InFlight
from zerog_api.problems import RETRY_AFTER_SECONDS, Problem

log = logging.getLogger(__name__)

#: Tokens that were good when they were last asked about.
MAX_GOOD_TOKENS = 10_000
#: Tokens that may be nobody's and are asked about at the same time: fewer than the authority's
#: questions, so that the tokens of callers are not kept waiting by them.
MAX_UNKNOWN_AT_ONCE = 10
#: How long one of them waits for its turn.
TURN_SECONDS = 5.0
_BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)


def has_bearer(header: str | None) -> bool:
    """Whether an `Authorization` header holds a token."""
    return header is not None and _BEARER.fullmatch(header.strip()) is not None


def bearer_of(header: str | None) -> str:
    """Return the token of an `Authorization` header. A 401 `Problem` if there is none."""
    if header is None:
        raise unauthorized("a bearer token is needed: send `Authorization: Bearer …`", "")
    found = _BEARER.fullmatch(header.strip())
    if found is None:
        raise unauthorized("the Authorization header holds no bearer token", "invalid_request")
    return found[1]


def unauthorized(detail: str, error: str) -> Problem:
    """Return the problem of a caller that nobody knows."""
    challenge = 'Bearer realm="zerog"' + (f', error="{error}"' if error else "")
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": challenge})


def too_many(detail: str, seconds: float) -> Problem:
    """Return the problem of a client that asks too much."""
    wait = str(max(1, int(seconds + 0.999)))
    return Problem(429, "too-many-requests", detail, headers={"Retry-After": wait})


class Admission:
    """A call that was let in. It counts as one of its caller's until it has left."""

    def __init__(self, access: CheckedAccess, leave: Callable[[], None]) -> None:
        self.access = access
        self._leave: Callable[[], None] | None = leave

    def leave(self) -> None:
        """Count the call out, once."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()


class Gate:
    """Lets the calls of known clients in, so many of them."""

    def __init__(
        self, authority: Authority, buckets: Buckets, in_flight: InFlight, guesses: Buckets
    ) -> None:
        """`guesses` is for tokens that turn out to be nobody's, by address."""
        self._authority = authority
        self._buckets = buckets
        self._guesses = guesses
        self._in_flight = in_flight
        self._good: OrderedDict[str, None] = OrderedDict()
        self._turns = asyncio.Semaphore(MAX_UNKNOWN_AT_ONCE)

    async def close(self) -> None:
        """Close the authority's connections."""
        await self._authority.close()

    async def admit(self, authorization: str | None, address: str, verb: Verb) -> "Admission":
        """Let a call in, by its header and where it comes from. A `Problem` if it must not."""
        caller, token = await self._admit(authorization, address)
        if not self._in_flight.enter(caller.name):
            raise too_many("too many requests at the same time", RETRY_AFTER_SECONDS)
        access = self._access(caller, token, verb)
        return Admission(access, lambda: self._in_flight.leave(caller.name))

    async def _admit(self, authorization: str | None, address: str) -> tuple[Caller, str]:
        """Return who it is. A token that is nobody's costs its address, a caller pays itself."""
        token = bearer_of(authorization)
        known = self._authority.recall(token)
        if known is not None:
            caller = known.caller
            if caller is None:
                self._pay(self._guesses, network_of(address))
        elif (mark := fingerprint(token)) in self._good:
            caller = await self._identify(token)
        else:
            caller = await self._guess(token, network_of(address))
        if known is None:
            self._remember(mark, caller)
        if caller is None:
            raise unauthorized("the token is not known here, or has ended", "invalid_token")
        self._pay(self._buckets, caller.name)
        return caller, token

    async def _guess(self, token: str, network: str) -> Caller | None:
        """Ask for a token that may be anything. What is nobody's is paid for by its address."""
        self._pay(self._guesses, network)
        caller = None
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turns.acquire()
            try:
                caller = await self._identify(token)
            finally:
                self._turns.release()
        except TimeoutError as error:
            raise too_many("too many unknown tokens at the same time", TURN_SECONDS) from error
        except Problem:  # nobody can tell now
            self._guesses.give(network)
            raise
        if caller is not None:
            self._guesses.give(network)
        return caller

    def _remember(self, mark: str, caller: Caller | None) -> None:
        """A token that was good is asked about again without a charge to its address: others may
        guess from there."""
        if caller is None:
            self._good.pop(mark, None)
            return
        self._good[mark] = None
        self._good.move_to_end(mark)
        if len(self._good) > MAX_GOOD_TOKENS:
            self._good.popitem(last=False)

    async def _identify(self, token: str) -> Caller | None:
        try:
            return await self._authority.identify(token)
        except AuthorityAwayError as error:
            raise _away(error) from error

    def _access(self, caller: Caller, token: str, verb: Verb) -> CheckedAccess:
        async def may(queue: str | None) -> bool:
            try:
                return await self._authority.may(caller, verb, queue)
            except AuthorityAwayError as error:
                raise _away(error) from error

        async def valid() -> bool:
            return await self._identify(token) == caller

        return CheckedAccess(caller.name, verb, may, valid)

    def _pay(self, buckets: Buckets, client: str) -> None:
        if seconds := buckets.take(client, time.monotonic()):
            raise too_many("too many requests: slow down", seconds)


def _away(error: AuthorityAwayError) -> Problem:
    log.warning("nobody can be checked: %s", error)
    return Problem(
        503,
        "authentication-unavailable",
        "callers cannot be checked now; nothing was changed; try again",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )
