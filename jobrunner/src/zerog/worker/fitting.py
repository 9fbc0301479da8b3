"""Whether parameters fit the classes of this worker: asked for jobs of other versions.

The class is asked in a process that does nothing else (`zerog.child.desk`), so that an answer never
waits for a job. A worker meets such jobs around a rollout, so the processes are let go soon after.
"""

import asyncio
from typing import Any

from zerog.child.desk import Desk
from zerog.child.handle import NurseryHandle
from zerog.sdk.faults import in_one_line

#: A process that nobody has asked for this long is let go.
IDLE_SECONDS = 60.0
#: What is said of parameters that were not checked: their job is looked at again.
UNKNOWN = "the class did not answer whether they do"


class Fitting:
    """Asks the classes."""

    def __init__(self, nursery: NurseryHandle) -> None:
        self._nursery = nursery
        self._desks: dict[str, Desk] = {}
        self._next_look: asyncio.TimerHandle | None = None

    async def misfit(self, name: str, parameters: dict[str, Any]) -> str:
        """Say in one line why a type's class does not take parameters; nothing if it does."""
        if name not in self._desks:
            self._desks[name] = Desk(name, self._nursery.fork)
        if self._next_look is None:
            self._next_look = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._close_idle)
        faults = await self._desks[name].ask(parameters)
        return UNKNOWN if faults is None else in_one_line(faults, len(faults))

    def close(self) -> None:
        """Let all processes go."""
        if self._next_look is not None:
            self._next_look.cancel()
        while self._desks:
            self._desks.popitem()[1].close()

    def _close_idle(self) -> None:
        loop = asyncio.get_running_loop()
        for name, desk in [*self._desks.items()]:
            if desk.is_idle and loop.time() - desk.asked_at >= IDLE_SECONDS:
                self._desks.pop(name).close()
        self._next_look = None
        if self._desks:
            self._next_look = loop.call_later(IDLE_SECONDS, self._close_idle)
