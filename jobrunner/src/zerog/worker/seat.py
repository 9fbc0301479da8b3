"""The child's seat: there is always a fit process in it when a job is to run.

A child is replaced when it died, when a job spoiled it, when a signal may still be on its way to
it, when it grew too large, or when it has run enough jobs.
"""

from zerog.child.handle import ChildDeath, ChildHandle, NurseryHandle
from zerog.settings import WorkerSettings
from zerog.worker.attempt import RunningAttempt

#: How long a child that is replaced may take to leave.
CHILD_EXIT_SECONDS = 5.0


class Seat:
    """Holds one child at a time."""

    def __init__(self, nursery: NurseryHandle, settings: WorkerSettings) -> None:
        self._nursery = nursery
        self._settings = settings
        self._child: ChildHandle | None = None
        self._jobs = 0

    async def ready(self) -> ChildHandle:
        """Return a child that can run a job. `NurseryError` if there is none to be had now."""
        if self._child is None or not self._child.usable:
            self.clear()
            self._child = await self._nursery.fork()
            self._jobs = 0
        return self._child

    def keeps_output_of(self, job_type: str) -> bool:
        """Whether what a type's jobs print goes into their logs."""
        return all(each.log_output for each in self._nursery.types if each.name == job_type)

    def after(self, attempt: RunningAttempt) -> None:
        """Keep the child after a run, or let it go."""
        self._jobs += 1
        worn = (
            isinstance(attempt.end, ChildDeath)
            or attempt.spoiled is not None
            or attempt.stop_reason is not None
            or self._jobs >= self._settings.max_jobs_per_child
            or attempt.rss_bytes > self._settings.max_child_bytes
        )
        if worn:
            self.clear()

    def clear(self) -> None:
        """Let the child go."""
        if self._child is not None:
            self._child.discard(CHILD_EXIT_SECONDS)
            self._child = None
