"""Run a job in-process, for its author's tests: no queue, no store, no child process.

run = zerog.testing.run(Thumbnail(url="file:///cat.png"))
assert run.data == {"made": 2}
assert run.completeness[-1] == 1.0
"""

import threading
from dataclasses import dataclass, field
from typing import Any

import msgspec

from zerog.model import jsontext
from zerog.model.documents import LogLine
from zerog.model.events import Invalid, Raised, Returned, RunEnd
from zerog.model.record import UNFINISHED, JobState, new_job_id
from zerog.sdk.context import Context, checked_state, close
from zerog.sdk.invoke import Invocation, Kind
from zerog.sdk.job import Job


def _plain(value: Any) -> Any:
    return jsontext.loads(bytes(value)) if isinstance(value, msgspec.Raw) else value


@dataclass(slots=True)
class Run:
    """What a job did."""

    #: How it ended: returned, continue, retry, finish, raised, cancelled.
    kind: Kind = "raised"
    #: Its end, as the worker gets it.
    end: RunEnd | None = None
    #: Every completeness it reported, in order.
    completeness: list[float] = field(default_factory=list)
    #: Every log line: level, message, data.
    lines: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    #: Every state it saved on the way.
    saved: list[dict[str, Any]] = field(default_factory=list)
    #: What it keeps for its next attempt.
    state: dict[str, Any] | None = None

    @property
    def data(self) -> Any:
        """Its output data."""
        return _plain(self.end.data) if isinstance(self.end, Returned) else None

    @property
    def code(self) -> int:
        """Its result code, -1 if it did not end."""
        return self.end.code if isinstance(self.end, Returned) else UNFINISHED

    @property
    def message(self) -> str | None:
        """What the record would say, e.g. of its exception."""
        return self.end.message if isinstance(self.end, Returned | Raised | Invalid) else None

    def messages(self, level: str) -> list[str]:
        """Return the messages of a level: info, warning, error."""
        return [message for line_level, message, _ in self.lines if line_level == level]


class _Recorder:
    def __init__(self, run: Run, cancelled: bool) -> None:
        self._run, self._cancelled = run, cancelled
        self.lock = threading.RLock()

    def progress(self, completeness: float) -> None:
        self._run.completeness.append(completeness)

    def line(self, line: LogLine) -> None:
        data = jsontext.loads(line.data) if isinstance(line.data, str) else {}
        self._run.lines.append((line.level, line.message, data))

    def save_state(self, state: JobState) -> None:
        self._run.saved.append(jsontext.loads(state))

    def cancelled(self) -> bool:
        return self._cancelled


def run(
    job: Job, *, state: dict[str, Any] | None = None, attempt: int = 1, cancelled: bool = False
) -> Run:
    """Run a job, sync or async, and return what it did. The job's own exceptions do not escape."""
    done = Run()
    kept = checked_state(state or {})
    context = Context(
        _Recorder(done, cancelled), uuid=new_job_id(), attempt=attempt, state=dict(kept)
    )
    invocation = Invocation(job, context)
    done.end = invocation.run()
    close(context)
    done.kind = invocation.kind
    state_text: JobState | None = getattr(done.end, "state", None)
    done.state = (kept or None) if state_text is None else jsontext.loads(state_text)
    return done
