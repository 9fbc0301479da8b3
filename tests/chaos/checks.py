"""What must hold when a chaos run is over and healed. Each check gives sentences about violations.

They look at the records by the API, at the SQLite file, at beanstalkd, at the marks that the jobs
left, at the processes' logs, and at the processes of the machine.
"""

import contextlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import greenstalk
import psutil
from tests.chaos.faults import Frozen
from tests.chaos.jobs import MARKS
from tests.chaos.load import Expected

from zerog.model.documents import REPAIR_KEY

#: Every write of a control document goes through here, whichever process does it.
WATCH = """
CREATE TABLE reported (uuid TEXT, before TEXT, after TEXT);
CREATE TRIGGER watch AFTER UPDATE OF state ON document
WHEN NEW.collection = 'jobs' AND (NEW.state IN ('succeeded', 'failed', 'cancelled')
                                  OR OLD.state IN ('succeeded', 'failed', 'cancelled'))
BEGIN INSERT INTO reported VALUES (NEW.key, OLD.state, NEW.state); END;
"""
FINISHED = frozenset({"succeeded", "failed", "cancelled"})
#: What may live without an expiry.
KEPT_FOR_EVER = ("types", "pools", "controls")
#: A frozen worker's job is ended this long after it wakes, at the latest.
FENCE_SECONDS = 5.0
#: A record lists this many attempts.
LISTED = 50


def query(path: Path, statement: str) -> list[Any]:
    """Ask the SQLite file."""
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as file:
        return file.execute(statement).fetchall()


def watch(path: Path) -> None:
    """Record from now on every write of an end, and every write after one."""
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as file:
        file.executescript(WATCH)


def reported(path: Path) -> list[tuple[str, str, str]]:
    """Return those writes."""
    return query(path, "SELECT uuid, before, after FROM reported")


def record_faults(
    expected: Expected, document: dict[str, Any], outcomes: list[tuple[str, str]]
) -> Iterator[str]:
    """Compare a job's record with what must have become of it."""
    found = (document["state"], document["resultCode"], document["data"])
    if found != (expected.state, expected.code, expected.data):
        yield f"ended as {str(found)[:200]}, not as {expected.state} {expected.code}"
    ends = [(before, after) for before, after in outcomes if before not in FINISHED]
    again = [(before, after) for before, after in outcomes if before in FINISHED]
    if len(ends) != 1 + expected.replays or len(again) != expected.replays:
        yield f"its end was recorded so: {outcomes}"
    yield from _attempt_faults(expected, document)


def _attempt_faults(expected: Expected, document: dict[str, Any]) -> Iterator[str]:
    attempts = document["attempts"]
    numbers = [attempt["number"] for attempt in attempts]
    last = numbers[-1] if numbers else 0
    if numbers != list(range(max(1, last - LISTED + 1), last + 1)):
        yield f"its attempts are numbered {numbers}"
    if any(not attempt.get("cause") for attempt in attempts):
        yield f"an attempt has no end: {attempts}"
    causes = Counter(attempt.get("cause") for attempt in attempts)
    wrong = {name: causes[name] for name, count in expected.causes if causes[name] != count}
    if wrong and last <= LISTED:
        yield f"causes {dict(causes)}, expected were {dict(expected.causes)}"


@dataclass
class Run:
    """One attempt as its marks tell."""

    pid: int
    began: float
    last: float


def read_runs(marks: Path) -> dict[str, list[tuple[int, Run]]]:
    """Return the attempts of each job, from the marks."""
    runs: dict[tuple[str, int, int], Run] = {}
    lines = marks.read_text().splitlines() if marks.exists() else []
    for line in lines:
        uuid, attempt, pid, _, at = line.split()
        run = runs.setdefault((uuid, int(attempt), int(pid)), Run(int(pid), float(at), float(at)))
        run.last = max(run.last, float(at))
    found: dict[str, list[tuple[int, Run]]] = defaultdict(list)
    for (job, number, _), run in runs.items():
        found[job].append((number, run))
    return found


def overlap_faults(
    runs: dict[str, list[tuple[int, Run]]], frozen: Iterable[Frozen]
) -> Iterator[str]:
    """Give attempts that ran at the same time, though no frozen worker explains it."""
    frozen = list(frozen)
    for uuid, attempts in runs.items():
        ordered = sorted(attempts, key=lambda item: item[1].began)
        for (number, run), (other, after) in zip(ordered, ordered[1:], strict=False):
            if number == other:
                yield f"job {uuid}: attempt {number} ran in two processes"
            elif after.began < run.last and not _is_explained(run, after, frozen):
                yield (
                    f"job {uuid}: attempts {number} and {other} ran at the same time for "
                    f"{run.last - after.began:.3f} s"
                )


def _is_explained(run: Run, after: Run, frozen: list[Frozen]) -> bool:
    return any(
        run.pid in item.pids
        and item.began <= after.began
        and run.last <= item.ended + FENCE_SECONDS
        for item in frozen
    )


def early_faults(jobs: Iterable[Expected], runs: dict[str, list[tuple[int, Run]]]) -> Iterator[str]:
    """Give delayed jobs that began before their time."""
    for job in jobs:
        began = min((run.began for _, run in runs.get(job.uuid, ())), default=job.not_before)
        if began < job.not_before - 0.001:
            yield f"job {job.uuid} began {job.not_before - began:.3f} s early"


def store_faults(path: Path) -> Iterator[str]:
    """Give documents that would stay for ever, but for the one that says where repair stands."""
    kept = ", ".join(f"'{name}'" for name in KEPT_FOR_EVER)
    rows = query(
        path,
        "SELECT collection, count(*), min(key) FROM document WHERE expires IS NULL "
        f"AND collection NOT IN ({kept}) AND key <> '{REPAIR_KEY}' GROUP BY collection",
    )
    for collection, count, key in rows:
        yield f"{count} documents of {collection} without an expiry, e.g. {key}"


def queue_faults(port: int) -> Iterator[str]:
    """Give tubes that still hold entries."""
    with greenstalk.Client(("127.0.0.1", port)) as queue:
        for tube in queue.tubes():
            stats: Any = queue.stats_tube(tube)
            left = {
                name: stats[f"current-jobs-{name}"]
                for name in ("ready", "reserved", "delayed", "buried")
                if stats[f"current-jobs-{name}"]
            }
            if left:
                yield f"tube {tube} holds {left}"


def log_faults(folder: Path) -> Iterator[str]:
    """Give logs with a traceback."""
    for log in sorted(folder.glob("*.log")):
        text = log.read_text(errors="replace")
        at = text.find("Traceback (most recent call last)")
        if at >= 0:
            yield f"{log.name} has a traceback: {text[at : at + 1500]}"


def process_faults(marks: Path) -> Iterator[str]:
    """Give processes of a run that still live: they have its marks in their environment."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARKS) == str(marks):
                yield f"process {process.pid} is left: {' '.join(process.cmdline())[:200]}"
