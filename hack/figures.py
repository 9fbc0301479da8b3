"""What prose says of the figures that were measured: sentences that are made of them.

The figures come from what the benchmarks write: `benchmarks/results/*.json` and the operator's
table in docs/performance.md. `hack/reference.py` puts the sentences into their pages. One that
draws a conclusion is made only while the figures bear it out: else it has to be written anew, here.
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
        """Return the jobs a second from POST to stored result."""
        return f"{self._medians[system]['stored_per_second']:,.0f}"

    def idle_ms(self, system: str) -> float:
        """Return the median latency of a job when nothing else is to be done."""
        return self._medians[system]["idle_p50_ms"]

    def times(self, peer: str) -> str:
        """Return how many times as many stored results as a peer ZeroG brings."""
        ours, theirs = (self._medians[it]["stored_per_second"] for it in ("zerog", peer))
        return f"{ours / theirs:.1f}"

    def fastest_peer(self) -> str:
        """Return who brings the most stored results of the others."""
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
            raise ValueError(f"the figures do not bear out {sentence!r}: write it anew")


def _between(values: Iterable[float], digits: int, join: str) -> str:
    found = list(values)
    return f"{min(found):.{digits}f} {join} {max(found):.{digits}f}"


def first_pod(it: Measured) -> str:
    """Of the README."""
    return f"{it.first_pod} s after the first job (p50)"


def fast(it: Measured) -> str:
    """Of the README."""
    return (
        f"{it.stored('zerog')} jobs a second from POST to stored result on two cores, flushed to\n"
        f"  disk; FastAPI with Celery on a Redis in memory brings {it.stored('celery')} there."
    )


def peers(it: Measured) -> str:
    """Of the page about performance."""
    fastest = it.fastest_peer()
    _holds(
        (fastest == "huey", "huey is the fastest peer"),
        (it.idle_ms("huey") < it.idle_ms("zerog"), "when idle, huey answers sooner"),
    )
    return f"""
In this run ZeroG brings {it.times("celery")} times as many jobs from POST to a stored result as
FastAPI + Celery and {it.times(fastest)} times as many as the fastest peer, {fastest}, though it
alone flushes to disk and keeps a job's crash, memory and state apart from the next one's. When
idle, huey answers a little sooner: it polls every 10 ms at most and writes to memory only.
"""


def celery(it: Measured) -> str:
    """Of the comparison."""
    return (
        "In the benchmark, FastAPI and Celery in front of a Redis without persistence brought\n"
        f"{it.stored('celery')} jobs a second from POST to a stored result, "
        f"ZeroG {it.stored('zerog')} with everything on disk."
    )


def rq(it: Measured) -> str:
    """Of the comparison."""
    return f"{it.stored('rq')} jobs a second in the benchmark"


def fast_peers(it: Measured) -> str:
    """Of the comparison."""
    ours, huey = it.idle_ms("zerog"), it.idle_ms("huey")
    _holds(
        (it.fastest_peer() == "huey", "nearer to ZeroG in speed are huey and taskiq"),
        (huey < ours, "when idle, huey answers sooner"),
    )
    return (
        f"Nearer to ZeroG in speed are huey ({it.stored('huey')} jobs a second) and "
        f"taskiq ({it.stored('taskiq')}).\n"
        f"When idle, huey answers sooner than ZeroG (p50 {huey:.1f} ms against {ours:.1f} ms)."
    )


def operator(it: Measured) -> str:
    """Of the comparison."""
    return f"{it.first_pod} s (p50 of one run, the worst of 40 was {it.first_pod_worst} s)"


def as_they_come(it: Simulated) -> str:
    """Of the comparison."""
    _holds(
        (max(it.p95(ZEROG)) <= 10, "ZeroG's p95 stayed within its 10 s target"),
        (it.interrupts_on(OBJECT) == {"day", "longtail"}, "KEDA interrupts on day and longtail"),
    )
    return f"""\
ZeroG's p95 stayed within its 10 s target on all five; KEDA with its defaults and a
  queue length of 5 had p95 between {_between(it.p95(OBJECT), 0, "and")} s. It was cheaper for that.
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
  worker-seconds of a tuned ZeroG: it was cheaper on `step`, `spike` and `longtail`, and ScaledJobs
  were on `cron`."""


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
ScaledJobs interrupted none and were the cheapest on `spike` and `cron` as they come
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

    `ValueError` says which conclusion the figures do not bear out.
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
