"""A value that many ask for, and that takes a look at datastore or queue to make."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Makes the value at most once at a time. All who wait for it get it, or its error.

    So callers never wait one after another while datastore or queue do not answer.
    """

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._made: tuple[T, float] | None = None
        self._making: asyncio.Task[T] | None = None

    def is_fresh(self, max_age_seconds: float) -> bool:
        """Whether there is a value that is not older than this."""
        return self._made is not None and time.monotonic() - self._made[1] < max_age_seconds

    async def get(self, max_age_seconds: float, usable_seconds: float = 0.0) -> T:
        """Return the value, not older than this. Raises what making it raises.

        A value that is older, but not older than `usable_seconds`, is returned at once all the
        same, and the next one is made meanwhile.
        """
        age = float("inf") if self._made is None else time.monotonic() - self._made[1]
        if self._making is None:
            if self._made is not None and age < max_age_seconds:
                return self._made[0]
            self._making = asyncio.create_task(self._remake(), name="shared")
            self._making.add_done_callback(self._forget)
        if self._made is not None and age < usable_seconds:
            return self._made[0]
        # A caller that leaves takes nothing from the others.
        return await asyncio.shield(self._making)

    async def _remake(self) -> T:
        value = await self._make()
        self._made = value, time.monotonic()
        return value

    def _forget(self, made: asyncio.Task[T]) -> None:
        self._making = None
        if not made.cancelled():
            made.exception()  # all who waited may have left
