"""A small cache of answers that may not grow old: bounded, and asked once for all who wait."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class TimedCache(Generic[K, V]):
    """Keeps answers for a while.

    An error is not kept: the next one asks again. Whoever comes while a question is on its way
    waits for its answer; a waiter that leaves does not end it for the others.
    """

    def __init__(
        self,
        seconds: Callable[[V], float],
        *,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds(answer)` is how long an answer is believed; `most` is how many are kept."""
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._answers: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._asking: dict[K, asyncio.Task[V]] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def recall(self, key: K) -> tuple[V] | None:
        """Return an answer that is not too old, in a tuple; None if there is none."""
        found = self._answers.get(key)
        if found is None:
            return None
        until, answer = found
        if self._clock() >= until:
            del self._answers[key]
            return None
        return (answer,)

    async def get(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        """Return the answer, asking for it if it is not known."""
        known = self.recall(key)
        if known is not None:
            return known[0]
        task = self._asking.get(key)
        if task is None:
            task = asyncio.ensure_future(self._ask(key, ask))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(task)

    async def _ask(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        answer = await ask()
        self._answers[key] = (self._clock() + self._seconds(answer), answer)
        self._answers.move_to_end(key)
        if len(self._answers) > self._most:
            self._answers.popitem(last=False)
        return answer

    def _done(self, key: K, task: "asyncio.Task[V]") -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # told to those who wait, if anybody still does
