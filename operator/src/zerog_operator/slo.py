"""Whether a pool keeps its promise: how many jobs of the last hour started within the target.

It stands on the counts in the datastore, which all workers of the queue add up, and on what the
operator sees of jobs that have not started. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor
from typing import Any

from zerog.ledger.counts import WAITS, share_within
from zerog_operator.model import Facts
from zerog_operator.pool import PoolSpec

QUANTILE = 0.95


@dataclass(frozen=True, slots=True)
class Slo:
    """How the jobs of the last hour started. None: unknown, or nothing started."""

    #: `targetStartSeconds`; None: the pool has none.
    target_seconds: float | None = None
    #: The share of jobs that started within the target.
    attained: float | None = None
    #: What 95 in 100 of those that started waited at most.
    p95_seconds: float | None = None


def measure_slo(spec: PoolSpec, facts: Facts, late: int) -> Slo:
    """Return how the pool's queue did. `late` jobs wait for longer than the target already."""
    target = spec.scaling.target_start_seconds
    if facts.hour is None:
        return Slo(target)
    attained = None if target is None else share_within(facts.hour, target, late)
    return Slo(target, attained, WAITS.quantile(facts.hour, QUANTILE))


def build_slo(slo: Slo) -> dict[str, Any]:
    """Return `status.slo`, empty if nothing is known. The CRD has no floats: numbers are texts."""
    figures: Mapping[str, Any] = {
        "attainedLastHour": None if slo.attained is None else _share(slo.attained),
        "p95Seconds": None if slo.p95_seconds is None else decimal(slo.p95_seconds),
    }
    told = {name: value for name, value in figures.items() if value is not None}
    if told and slo.target_seconds is not None:
        told = {"targetSeconds": round(slo.target_seconds), **told}
    return told


def decimal(number: float) -> str:
    """Return a number as text with three digits that count, without an exponent."""
    return f"{number:.0f}" if number >= 99.95 else f"{number:.3g}"


def _share(share: float) -> str:
    # Never rounded up to 1: that says that none was missed.
    return f"{floor(share * 1000) / 1000:.3f}"
