"""Count the records themselves, for tests that compare them with the counts."""

from collections import Counter
from collections.abc import Iterable

from zerog.ledger.counts import CPUS, OUTCOMES, PEAKS, RUNS, WAITS, Counts, JobKind, sum_up
from zerog.ledger.stats import readable
from zerog.model.record import Attempt, JobRecord
from zerog.store.port import Datastore


def count_records(records: Iterable[JobRecord]) -> dict[JobKind, Counts]:
    """Return what the records show to have happened, by queue and type; not what was accepted."""
    sums: dict[JobKind, Counter[str]] = {}
    for record in records:
        for attempt in record.attempts:
            kind = JobKind(attempt.queue or record.queue, record.type)
            sums.setdefault(kind, Counter()).update(_of_attempt(record, attempt))
        if record.is_finished and not _ended_by_attempt(record):
            kind = JobKind(record.queue, record.type)
            sums.setdefault(kind, Counter())[str(record.state)] += 1
    return {kind: {name: n for name, n in counts.items() if n} for kind, counts in sums.items()}


def _ended_by_attempt(record: JobRecord) -> bool:
    return any(attempt.ended_time == record.finished_time for attempt in record.attempts)


def _of_attempt(record: JobRecord, attempt: Attempt) -> dict[str, int]:
    waited = attempt.waited_seconds or 0.0
    found = Counter({"started": 1, WAITS.of(waited): 1, WAITS.total: round(1000 * waited)})
    if attempt.ended_time is None:
        return found
    ran = (attempt.ended_time - attempt.started_time).total_seconds()
    found.update({"ended": 1, RUNS.of(ran): 1, RUNS.total: round(1000 * ran)})
    found[f"cause {attempt.cause}"] += 1
    if attempt.cpu_seconds is not None:
        found.update({CPUS.of(attempt.cpu_seconds): 1, "cpu": round(1000 * attempt.cpu_seconds)})
    if attempt.peak_bytes is not None:
        found.update({PEAKS.of(attempt.peak_bytes): 1, "peak": attempt.peak_bytes // 1024})
    last = record.is_finished and attempt.ended_time == record.finished_time
    found[str(record.state) if last else "again"] += 1
    return found


async def read_counts(store: Datastore) -> dict[JobKind, Counts]:
    """Return all counts of all minutes, but for what no record shows."""
    stored = await store.scan("stats")
    counts = sum_up(
        readable(item.document) for key, item in stored.items() if not key.startswith("totals")
    )
    kept = {
        kind: {name: n for name, n in found.items() if n and name not in ("accepted", "lost")}
        for kind, found in counts.items()
    }
    return {kind: found for kind, found in kept.items() if found}


def outcomes(counts: dict[JobKind, Counts]) -> dict[JobKind, list[int]]:
    """Return how many jobs ended, by queue, type and outcome."""
    return {kind: [found.get(name, 0) for name in OUTCOMES] for kind, found in counts.items()}
