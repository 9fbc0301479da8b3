"""What the attempts of a type took, from its counts."""

from zerog.ledger.counts import CPUS, PEAKS, RUNS, JobKind
from zerog.ledger.usage import MAX_TYPES, usage_of

MIB = 1 << 20


def test_the_busiest_type_comes_first_and_what_is_unknown_is_none() -> None:
    known = {
        "ended": 100, "succeeded": 97, "failed": 3, RUNS.total: 250_000, RUNS.of(2.0): 99,
        RUNS.of(50.0): 1, CPUS.total: 7000, CPUS.of(0.05): 100, PEAKS.of(300 * MIB): 100,
    }  # fmt: skip
    unknown = {"ended": 1, "failed": 1, RUNS.total: 10, RUNS.of(0.01): 1}

    first, second = usage_of(
        {JobKind("a", "Small"): unknown, JobKind("b", "Large"): known, JobKind("a", "Idle"): {}}
    )

    assert (first.queue, first.name, first.ended, first.failed) == ("b", "Large", 100, 3)
    assert (first.busy_seconds, first.cpu_seconds) == (250.0, 7.0)
    assert first.run95_seconds is not None
    assert 1.0 < first.run95_seconds <= 3.0
    assert first.peak99_bytes is not None
    assert 300 * MIB / 1.2 <= first.peak99_bytes <= 300 * MIB * 1.2
    assert (second.cpu95_seconds, second.peak50_bytes) == (None, None)


def test_so_many_types_are_listed_and_no_more() -> None:
    kinds = {JobKind("q", f"T{number}"): {"ended": 1} for number in range(3 * MAX_TYPES)}

    assert len(usage_of(kinds)) == MAX_TYPES
