"""How often, and how many at a time, one client may call. Pure: the clock is given.

A client is a caller's name, or an address as long as nobody is known there. What is
remembered is bounded: the clients that came last stay, and a client that is forgotten only
starts with a full bucket.
"""

from collections import OrderedDict
from dataclasses import dataclass

#: So many clients are remembered.
MAX_CLIENTS = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Buckets:
    """A token bucket for each client."""

    def __init__(self, per_second: float, burst: float, max_clients: int = MAX_CLIENTS) -> None:
        """0 means without limit, of either."""
        self._per_second = per_second if burst > 0 else 0.0
        self._burst = max(burst, 1.0)
        self._max_clients = max_clients
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, client: str, now: float) -> float:
        """Take one token. Return 0, or the seconds until there is one."""
        if self._per_second <= 0:
            return 0.0
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = _Bucket(self._burst, now)
            if len(self._buckets) > self._max_clients:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(client)
        grown = bucket.tokens + max(0.0, now - bucket.at) * self._per_second
        bucket.tokens, bucket.at = min(self._burst, grown), now
        if bucket.tokens < 1.0:
            return (1.0 - bucket.tokens) / self._per_second
        bucket.tokens -= 1.0
        return 0.0

    def give(self, client: str) -> None:
        """Give a token back."""
        if (bucket := self._buckets.get(client)) is not None:
            bucket.tokens = min(self._burst, bucket.tokens + 1.0)


class InFlight:
    """How many calls of each client are under way."""

    def __init__(self, most: int) -> None:
        """`most` 0 means without limit."""
        self._most = most
        self._counts: dict[str, int] = {}

    def enter(self, client: str) -> bool:
        """Count a call in. False: the client has too many already."""
        count = self._counts.get(client, 0)
        if 0 < self._most <= count:
            return False
        self._counts[client] = count + 1
        return True

    def leave(self, client: str) -> None:
        """Count a call out."""
        count = self._counts[client] - 1
        if count:
            self._counts[client] = count
        else:
            del self._counts[client]
