"""Sentences in the docs that are generated from measured figures.

The figures come from what the benchmarks write: `benchmarks/results/*.json` and the operator's
table in docs/performance.md. `hack/reference.py` puts the sentences into their pages. One that
draws a conclusion is generated only while the figures support it. Otherwise, rewrite it here.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PERFORMANCE = ROOT / "docs/performance.md"
COMPARISON = ROOT / "docs/explanation/comparison.md"
ZEROG, OBJECT, JOB = "ZeroG", "KEDA ScaledObject", "KEDA ScaledJob"


def tuned(policy: str) -> str:
    """Return the name of a policy with searched settings."""
    return f"{policy}, tuned"


class Measured:
    """The medians of `make bench`, and the operator's latency."""

    def __init__(self) -> None:
        document = json.loads((ROOT / "benchmarks/results/latest.json").read_text())
        self._medians: dict[str, dict[str, float]] = document["medians"]
        row = _row(PERFORMANCE, "first job in an empty queue → its pod is created")
        #: Seconds from the first job to its pod: the median, and the worst.
        self.first_pod, self.first_pod_worst = [part.split()[-1] for part in row.split(" s")[:2]]

    def stored(self, system: str) -> str:
        """Return the jobs per second from POST to stored result."""
        return f"{self._medians[system]['stored_per_second']:,.0f}"

    def idle_ms(self, system: str) -> float:
        """Return the median latency of a job when the system is otherwise idle."""
        return self._medians[system]["idle_p50_ms"]

    def times(self, peer: str) -> str:
        """Return the ratio of ZeroG's stored results per second to a peer's."""
        ours, theirs = (self._medians[it]["stored_per_second"] for it in ("zerog", peer))
        return f"{ours / theirs:.1f}"

    def fastest_peer(self) -> str:
        """Return the peer with the most stored results per second."""
        peers = [name for name in self._medians if name != "zerog"]
        return max(peers, key=lambda name: self._medians[name]["stored_per_second"])


class Simulated:
    """What the simulator found for each load and policy; nothing where a goal was missed."""

    def __init__(self) -> None:
        found = json.loads((ROOT / "benchmarks/results/simulated.json").read_text())
        self._rows = {
            (item["trace"]["name"], row["name"]): row["outcome"]
            for item in found
            for row in item["policies"]
            if row["outcome"]
        }

    def p95(self, policy: str) -> list[float]:
        """Return the start latencies of a policy, one for each load."""
        return [row["startSeconds"]["p95"] for (_, of), row in self._rows.items() if of == policy]

    def cost(self, policy: str) -> dict[str, float]:
        """Return the worker-seconds of a policy, by load."""
        return {
            load: row["workerSeconds"] for (load, of), row in self._rows.items() if of == policy
        }

    def interrupts_on(self, policy: str) -> set[str]:
        """Return the loads on which a policy interrupted jobs."""
        return {
            load for (load, of), row in self._rows.items() if of == policy and row["interrupted"]
        }

    def ratios(self, policy: str, other: str) -> dict[str, float]:
        """Return the cost of one policy in that of another, on loads where both are known."""
        costs, others = self.cost(policy), self.cost(other)
        return {load: costs[load] / others[load] for load in costs if load in others}

    def cheapest_on(self, policy: str, *others: str) -> set[str]:
        """Return the loads on which a policy cost less than each of the others."""
        return {
            load
            for load in self.cost(policy)
            if all(self.ratios(policy, other).get(load, 0) < 1 for other in others)
        }


def _row(page: Path, name: str) -> str:
    """Return the second column of a table's row."""
    for line in page.read_text().splitlines():
        if line.startswith(f"| {name} |"):
            return line.split("|")[2]
    raise ValueError(f"{page.name} has no row {name!r}")


def _holds(*conclusions: tuple[bool, str]) -> None:
    for is_true, sentence in conclusions:
        if not is_true:
            raise ValueError(f"the figures do not support {sentence!r}: rewrite it")


def _between(values: Iterable[float], digits: int, join: str) -> str:
    found = list(values)
    return f"{min(found):.{digits}f} {join} {max(found):.{digits}f}"


def first_pod(it: Measured) -> str:
    """Of the README."""
    return f"{it.first_pod} s after the first job (p50)"


def fast(it: Measured) -> str:
    """Of the README."""
    return (
        f"{it.stored('zerog')} jobs per second from POST to stored result on two cores, on SQLite\n"
        "  with `synchronous=FULL`. FastAPI and Celery, on a Redis that writes nothing to disk,\n"
        f"  reach {it.stored('celery')} in the same run"
    )


def peers(it: Measured) -> str:
    """Of the page about performance."""
    fastest = it.fastest_peer()
    _holds(
        (fastest == "huey", "huey is the fastest peer"),
        (it.idle_ms("huey") < it.idle_ms("zerog"), "when idle, huey is faster"),
    )
    return f"""
In this run ZeroG takes {it.times("celery")} times as many jobs from POST to a stored result as
FastAPI + Celery, and {it.times(fastest)} times as many as the fastest peer, {fastest}. Only ZeroG
flushes to disk, and only ZeroG keeps one job's crash, memory and state away from the next job. When
idle, huey is faster: it polls at least every 10 ms and writes to memory only.
"""


def celery(it: Measured) -> str:
    """Of the comparison."""
    return (
        "In the benchmark, FastAPI and Celery on a Redis without persistence reached\n"
        f"{it.stored('celery')} jobs per second from POST to a stored result. "
        f"ZeroG reached {it.stored('zerog')} on SQLite with `synchronous=FULL`."
    )


def rq(it: Measured) -> str:
    """Of the comparison."""
    return f"{it.stored('rq')} jobs per second in the benchmark (Redis without persistence)"


def fast_peers(it: Measured) -> str:
    """Of the comparison."""
    ours, huey = it.idle_ms("zerog"), it.idle_ms("huey")
    _holds(
        (it.fastest_peer() == "huey", "huey and taskiq come closest in speed"),
        (huey < ours, "when idle, huey is faster"),
    )
    return (
        f"huey ({it.stored('huey')} jobs per second) and taskiq ({it.stored('taskiq')}) "
        "come closest in speed,\non the same Redis. "
        f"When idle, huey is faster than ZeroG (p50 {huey:.1f} ms against {ours:.1f} ms)."
    )


def operator(it: Measured) -> str:
    """Of the comparison."""
    return f"{it.first_pod} s (p50 of 40 in one run; the worst was {it.first_pod_worst} s)"


def as_they_come(it: Simulated) -> str:
    """Of the comparison."""
    _holds(
        (max(it.p95(ZEROG)) <= 10, "ZeroG's p95 stayed within its 10 s target"),
        (it.interrupts_on(OBJECT) == {"day", "longtail"}, "KEDA interrupts on day and longtail"),
    )
    return f"""\
ZeroG's p95 stayed within its 10 s target on all five; KEDA with its defaults and a
  queue length of 5 had a p95 between {_between(it.p95(OBJECT), 0, "and")} s, at a lower cost.
  KEDA's Deployments interrupted jobs on `day` and `longtail`."""


def when_tuned(it: Simulated) -> str:
    """Of the comparison."""
    ours, theirs, jobs = tuned(ZEROG), tuned(OBJECT), tuned(JOB)
    _holds(
        (it.cheapest_on(theirs, ours) == {"step", "spike", "longtail"}, "where it was cheaper"),
        (it.cheapest_on(jobs, ours, theirs) == {"cron"}, "ScaledJobs were on cron"),
    )
    return f"""\
a tuned ScaledObject cost {_between(it.ratios(theirs, ours).values(), 1, "to")} times the
  worker-seconds of a tuned ZeroG. The ScaledObject was cheaper on `step`, `spike` and `longtail`,
  and ScaledJobs were the cheapest on `cron`."""


def by_default(it: Simulated) -> str:
    """Of the comparison."""
    return f"{_between(it.ratios(ZEROG, tuned(ZEROG)).values(), 1, 'to')} times as much as tuned"


def bursts(it: Simulated) -> str:
    """Of the comparison."""
    cheapest = it.cheapest_on(JOB, ZEROG, OBJECT)
    _holds(
        (not it.interrupts_on(JOB), "ScaledJobs interrupted none"),
        (cheapest == {"spike", "cron"}, "ScaledJobs were the cheapest on spike and cron"),
    )
    theirs, ours = it.cost(JOB), it.cost(ZEROG)
    return f"""\
with default settings, ScaledJobs interrupted none and were the cheapest on `spike` and `cron`
  (`spike`: {theirs["spike"]:,.0f} worker-seconds against {ours["spike"]:,.0f},
  `cron`: {theirs["cron"]:,.0f} against {ours["cron"]:,.0f})"""


#: Who makes each page's blocks, which have their names.
OF_MEASURED: dict[Path, list[Callable[[Measured], str]]] = {
    README: [first_pod, fast],
    PERFORMANCE: [peers],
    COMPARISON: [celery, rq, fast_peers, operator],
}
OF_SIMULATED: dict[Path, list[Callable[[Simulated], str]]] = {
    COMPARISON: [as_they_come, when_tuned, by_default, bursts],
}


def sentences() -> dict[Path, dict[str, str]]:
    """Return what is made for each page, by the blocks' names.

    `ValueError` names the conclusion that the figures do not support.
    """
    measured, simulated = Measured(), Simulated()
    found: dict[Path, dict[str, str]] = {}
    for page, made in OF_MEASURED.items():
        found.setdefault(page, {}).update({_name(make): make(measured) for make in made})
    for page, drawn in OF_SIMULATED.items():
        found.setdefault(page, {}).update({_name(make): make(simulated) for make in drawn})
    return found


def _name(make: Callable[..., str]) -> str:
    return make.__name__.replace("_", "-")
