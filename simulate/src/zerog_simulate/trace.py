"""Traces: which jobs come when, and how long each takes. A plain CSV file that anything can write.

    time,jobs,job_seconds
    0.5,1,3.2
    60,100,20
    1800,0,0

Each line says that at `time` (seconds from the beginning) so many jobs come, of `job_seconds`
each. Lines are in order of time; a line without jobs only says that time has passed. Empty lines
and lines that begin with `#` do not count.

The invariant: what `read_trace` returns is in order, and no time or length is negative.
"""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from zerog.model.errors import ConfigError

COLUMNS = ("time", "jobs", "job_seconds")
MAX_JOBS = 2_000_000


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Jobs that come at one moment."""

    time: float
    jobs: int
    job_seconds: float


@dataclass(frozen=True, slots=True)
class Trace:
    """A load: arrivals in order of time."""

    name: str
    arrivals: tuple[Arrivals, ...]

    @property
    def jobs(self) -> int:
        """How many jobs come."""
        return sum(item.jobs for item in self.arrivals)

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.arrivals[-1].time if self.arrivals else 0.0

    @property
    def busy_seconds(self) -> float:
        """How long all jobs take together: less than this no workers can be paid for."""
        return sum(item.jobs * item.job_seconds for item in self.arrivals)


def parse_trace(name: str, text: str) -> Trace:
    """Read a trace's text. `ConfigError` names the first line that is wrong, and why."""
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not lines or tuple(cell.strip() for cell in lines[0][1].split(",")) != COLUMNS:
        raise ConfigError(f"trace {name}: the first line has to be {','.join(COLUMNS)!r}")
    arrivals: list[Arrivals] = []
    for number, line in lines[1:]:
        arrivals.append(_parse_line(f"trace {name}, line {number}", line.split(","), arrivals))
    trace = Trace(name, tuple(arrivals))
    if not 0 < trace.jobs <= MAX_JOBS:
        raise ConfigError(f"trace {name}: {trace.jobs} jobs; 1 to {MAX_JOBS} can be simulated")
    return trace


def write_trace(trace: Trace, path: Path) -> None:
    """Write a trace to a file. `ConfigError` if that cannot be done."""
    try:
        path.write_text(format_trace(trace), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the trace cannot be written to {path}: {error}") from error


def format_trace(trace: Trace) -> str:
    """Return a trace as text."""
    lines = [",".join(COLUMNS)]
    for item in trace.arrivals:
        lines.append(f"{_number(item.time)},{item.jobs},{_number(item.job_seconds)}")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _parse_line(place: str, cells: list[str], before: list[Arrivals]) -> Arrivals:
    try:
        time, jobs, seconds = cells
        item = Arrivals(float(time), int(jobs), float(seconds))
    except ValueError as error:
        raise ConfigError(f"{place}: not a time, a whole number and a length ({error})") from error
    if not (isfinite(item.time) and isfinite(item.job_seconds)):
        raise ConfigError(f"{place}: a number is not finite")
    if item.time < 0 or item.jobs < 0 or item.job_seconds < 0:
        raise ConfigError(f"{place}: a number is negative")
    if before and item.time < before[-1].time:
        raise ConfigError(f"{place}: time {_number(item.time)} comes before that of the last line")
    return item
