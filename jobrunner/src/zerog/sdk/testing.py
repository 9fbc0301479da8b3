"""Run a job in-process, for its author's tests: no queue, no store, no child process.

outcome = zerog.testing.run(Thumbnail(url="file:///cat.png"))
assert outcome.data == {"made": 2}
assert outcome.completeness[-1] == 1.0
"""

from dataclasses import dataclass, field
from typing import Any

from zerog.model.record import new_job_id
from zerog.sdk.context import Context, checked_state
from zerog.sdk.invoke import invoke
from zerog.sdk.job import Job
from zerog.sdk.outcome import Outcome


@dataclass(slots=True)
class Run:
    """What a job did."""

    outcome: Outcome
    #: Every completeness it reported, in order.
    completeness: list[float] = field(default_factory=list)
    #: Every log line: level, message, data.
    lines: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    #: Every state it saved on the way.
    saved: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """How it ended: returned, continue, retry, finish, raised, cancelled."""
        return self.outcome.kind

    @property
    def data(self) -> Any:
        """Its output data."""
        return self.outcome.data

    @property
    def code(self) -> int:
        """Its result code."""
        return self.outcome.code

    @property
    def state(self) -> dict[str, Any] | None:
        """What it keeps for its next attempt."""
        return self.outcome.state

    def messages(self, level: str) -> list[str]:
        """Return the messages of a level: info, warning, error."""
        return [message for line_level, message, _ in self.lines if line_level == level]


class _Recorder:
    def __init__(self, run: Run, cancelled: bool) -> None:
        self._run, self._cancelled = run, cancelled

    def progress(self, completeness: float) -> None:
        self._run.completeness.append(completeness)

    def event(self, frame: dict[str, Any]) -> None:
        self._run.lines.append((frame["level"], frame["message"], frame.get("data", {})))

    def save_state(self, state: dict[str, Any]) -> None:
        self._run.saved.append(state)

    def cancelled(self) -> bool:
        return self._cancelled


def run(
    job: Job, *, state: dict[str, Any] | None = None, attempt: int = 1, cancelled: bool = False
) -> Run:
    """Run a job, sync or async, and return what it did. The job's own exceptions do not escape."""
    done = Run(Outcome("raised"))
    context = Context(
        _Recorder(done, cancelled),
        uuid=new_job_id(),
        attempt=attempt,
        state=checked_state(state or {}),
    )
    done.outcome = Outcome.from_frame(invoke(job, context))
    return done
