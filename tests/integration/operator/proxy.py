"""Bad networks for the operator: proxies on a thread of their own, and the traps in them.

A trap catches one call, before it reaches the server or after the server has done it but before
anybody hears of that, and holds it for good. Whoever made the call can then be killed exactly
between two of its steps, without a hook in the product.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from zerog_tools.cluster.process import ClusterError

T = TypeVar("T")
C = TypeVar("C")
STOP_SECONDS = 10.0
CLOSING_TURNS = 5


@dataclass
class Trap(Generic[C]):
    """Catches the first call that fits, and no other."""

    fits: Callable[[C], bool]
    #: Whether the server gets the call before it is held.
    after: bool
    caught: C | None = None
    _sprung: threading.Event = field(default_factory=threading.Event)

    def catch(self, call: C) -> bool:
        """Whether this call is to be held."""
        if self.caught is not None or not self.fits(call):
            return False
        self.caught = call
        return True

    def spring(self) -> None:
        """Tell whoever waits that the call is held now."""
        self._sprung.set()

    @property
    def sprung(self) -> bool:
        """Whether a call is held."""
        return self._sprung.is_set()

    def wait(self, seconds: float) -> C:
        """Wait until a call is held, and return it."""
        if not self._sprung.wait(seconds):
            raise ClusterError(f"nothing was trapped within {seconds:.0f} s")
        assert self.caught is not None
        return self.caught


class LoopThread:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on it and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STOP_SECONDS)

    def stop(self) -> None:
        """End whatever runs on it, and the thread."""
        self.run(_end_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECONDS)
        self._loop.close()


async def _end_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # Connections that were aborted are closed in the loop's next turns: TLS first, then TCP.
    for _ in range(CLOSING_TURNS):
        await asyncio.sleep(0)
