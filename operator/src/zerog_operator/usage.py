"""What the attempts of a pool's queue took in the last hour, and whether its workers ask for as
much memory. Pure.

It stands on the counts in the datastore, of all workers of the queue. Unknown is left out.
"""

import re
from collections.abc import Mapping
from typing import Any

from zerog.ledger.counts import CPUS, PEAKS, RUNS, Counts, JobKind, by_queue
from zerog.ledger.usage import peak_bytes
from zerog_operator.model import Facts
from zerog_operator.pool import PoolSpec
from zerog_operator.slo import decimal

#: Types that a status and the metrics list: the busiest.
MAX_TYPES = 20
#: Fewer measured attempts are no reason to change a request.
ENOUGH_ATTEMPTS = 20
#: A request is large if it is this many times what attempts use, and what a worker itself takes.
LARGE, WORKER_BYTES = 2, 192 << 20
_MIB = 1 << 20
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?(?:[eE][0-9]+)?)([kMGTPE]i?|Ki)?")
_UNITS = {"k": 1000, "Ki": 1024}
for _power, _letter in enumerate("MGTPE", 2):
    _UNITS |= {_letter: 1000**_power, f"{_letter}i": 1024**_power}


def busiest(facts: Facts) -> dict[str, Counts]:
    """Return the counts of the types with the most work, the busiest first."""
    found = [item for item in (facts.types or {}).items() if item[1].get("ended")]
    found.sort(key=lambda item: (-item[1].get(RUNS.total, 0), item[0]))
    return dict(found[:MAX_TYPES])


def busy_seconds(counts: Counts) -> float:
    """Return how long the attempts ran that ended."""
    return counts.get(RUNS.total, 0) / 1000


def build_usage(spec: PoolSpec, facts: Facts) -> dict[str, Any]:
    """Return `status.usage`, empty if nothing has ended. The CRD has no floats."""
    types = busiest(facts)
    if not types:
        return {}
    whole = by_queue({JobKind("", name): counts for name, counts in (facts.types or {}).items()})[
        ""
    ]
    request, peak = memory_request(spec), peak_bytes(whole, 0.99)
    told = {
        "busySeconds": round(busy_seconds(whole)),
        "types": [_type(name, counts) for name, counts in types.items()],
        "memoryRequestMebibytes": _mebibytes(request),
        "memory99Mebibytes": _mebibytes(peak),
        "hint": hint(request, peak, spec.slots, sum(PEAKS.sizes(whole))),
    }
    return {name: value for name, value in told.items() if value is not None}


def _type(name: str, counts: Counts) -> dict[str, Any]:
    run, cpu = RUNS.quantile(counts, 0.95), CPUS.quantile(counts, 0.95)
    told = {
        "name": name,
        "ended": counts.get("ended", 0),
        "busySeconds": round(busy_seconds(counts)),
        "run95Seconds": None if run is None else decimal(run),
        "cpu95Seconds": None if cpu is None else decimal(cpu),
        "memory99Mebibytes": _mebibytes(peak_bytes(counts, 0.99)),
    }
    return {key: value for key, value in told.items() if value is not None}


def hint(request: int | None, peak: int | None, slots: int, attempts: int) -> str | None:
    """Return what a person should know of a request that does not fit; None if it fits."""
    if request is None or peak is None or attempts < ENOUGH_ATTEMPTS:
        return None
    needed = slots * peak + WORKER_BYTES
    if needed < request <= LARGE * needed:
        return None
    what = "much more than" if request > needed else "less than"
    of_slots = "" if slots == 1 else f" for {slots} slots"
    return (
        f"a worker requests memory of {_mebibytes(request)} MiB{of_slots}, {what} it needs: "
        f"99 in 100 attempts of the last hour used at most {_mebibytes(peak)} MiB"
    )


def memory_request(spec: PoolSpec) -> int | None:
    """Return how much memory the template requests for the container `worker`; None: unknown."""
    containers = (spec.template.get("spec") or {}).get("containers") or ()
    for container in containers:
        if isinstance(container, Mapping) and container.get("name") == "worker":
            resources = container.get("resources") or {}
            for kind in ("requests", "limits"):  # Kubernetes takes the limit where none is asked
                if (given := (resources.get(kind) or {}).get("memory")) is not None:
                    return read_quantity(given)
    return None


def read_quantity(given: object) -> int | None:
    """Read a quantity as Kubernetes writes it; None if it is not one."""
    found = _QUANTITY.fullmatch(str(given))
    return None if found is None else round(float(found[1]) * _UNITS.get(found[2] or "", 1))


def _mebibytes(size: int | None) -> int | None:
    return None if size is None else round(size / _MIB)
