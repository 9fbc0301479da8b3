"""The figures that prose repeats: where each stands, where it comes from, and what is said of it.

They come from what the benchmarks write: `benchmarks/results/*.json` and the operator's table in
docs/performance.md. `hack/reference.py` puts them into the sentences below, or says which a page
lacks. Sentences that draw a conclusion stand in `CLAIMS`: where the figures do not bear one out any
more, it has to be written anew, here and in the page.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PERFORMANCE = "docs/performance.md"
COMPARISON = "docs/explanation/comparison.md"
#: {} stands for a figure; line breaks do not count.
SENTENCES: dict[str, list[tuple[str, list[str]]]] = {
    "README.md": [
        ("A pool at zero has its first pod {} s after the first job", ["operator first p50"]),
        ("{} jobs a second from POST to stored result on two cores", ["zerog stored"]),
        ("FastAPI with Celery on a Redis in memory brings {} there", ["celery stored"]),
    ],
    PERFORMANCE: [
        ("brings {} times as many jobs from POST to a stored result as FastAPI + Celery",
         ["zerog/celery stored"]),
        ("{} times as many as the fastest peer", ["zerog/fastest stored"]),
    ],
    COMPARISON: [
        ("without persistence brought {} jobs a second", ["celery stored"]),
        ("from POST to a stored result, ZeroG {} with everything on disk", ["zerog stored"]),
        ("{} jobs a second in the benchmark", ["rq stored"]),
        ("huey ({} jobs a second) and taskiq ({})", ["huey stored", "taskiq stored"]),
        ("huey answers sooner than ZeroG (p50 {} ms against {} ms)", ["huey idle", "zerog idle"]),
        ("to its pod's creation passed {} s (p50 of one run, the worst of 40 was {} s)",
         ["operator first p50", "operator first worst"]),
        ("KEDA with its defaults and a queue length of 5 had p95 between {} and {} s",
         ["keda least p95", "keda most p95"]),
        ("a tuned ScaledObject cost {} to {} times the worker-seconds of a tuned ZeroG",
         ["object/zerog least", "object/zerog most"]),
        ("ZeroG with its defaults cost {} to {} times as much as tuned",
         ["zerog/tuned least", "zerog/tuned most"]),
        ("(`spike`: {} worker-seconds against {}, `cron`: {} against {})",
         ["job spike", "zerog spike", "job cron", "zerog cron"]),
    ],
}  # fmt: skip
Rows = dict[tuple[str, str], dict[str, float]]


def measured() -> dict[str, dict[str, float]]:
    """Return the medians of `make bench`, by system."""
    document = json.loads((ROOT / "benchmarks/results/latest.json").read_text())
    return {name: dict(values) for name, values in document["medians"].items()}


def operator_row(name: str) -> str:
    """Return what was measured in a row of the operator's table."""
    for line in (ROOT / PERFORMANCE).read_text().splitlines():
        if line.startswith(f"| {name} |"):
            return line.split("|")[2]
    raise ValueError(f"{PERFORMANCE} has no row {name!r}")


def simulated() -> Rows:
    """Return what the simulator found for each load and policy; nothing where a goal is missed."""
    found = json.loads((ROOT / "benchmarks/results/simulated.json").read_text())
    return {
        (item["trace"]["name"], row["name"]): {
            "p95": row["outcome"]["startSeconds"]["p95"],
            "seconds": row["outcome"]["workerSeconds"],
            "interrupted": row["outcome"]["interrupted"],
        }
        for item in found
        for row in item["policies"]
        if row["outcome"]
    }


ZEROG, OBJECT, JOB = "ZeroG", "KEDA ScaledObject", "KEDA ScaledJob"
TUNED = "{}, tuned"


def policy(rows: Rows, name: str, figure: str) -> dict[str, float]:
    """Return a figure of a policy on each load."""
    return {load: values[figure] for (load, of), values in rows.items() if of == name}


def figures() -> dict[str, str]:
    """Return all figures as they are written."""
    peers, rows = measured(), simulated()
    found = {
        f"{name} stored": f"{values['stored_per_second']:,.0f}" for name, values in peers.items()
    }
    found |= {f"{name} idle": f"{values['idle_p50_ms']:.1f}" for name, values in peers.items()}
    stored = {name: values["stored_per_second"] for name, values in peers.items()}
    ours = stored.pop("zerog")
    found["zerog/celery stored"] = f"{ours / stored['celery']:.1f}"
    found["zerog/fastest stored"] = f"{ours / max(stored.values()):.1f}"
    first = re.findall(
        r"[\d.]+(?= s)", operator_row("first job in an empty queue → its pod is created")
    )
    found["operator first p50"], found["operator first worst"] = first
    keda = policy(rows, OBJECT, "p95").values()
    found["keda least p95"], found["keda most p95"] = f"{min(keda):.0f}", f"{max(keda):.0f}"
    for name, one, other in (
        ("object/zerog", TUNED.format(OBJECT), TUNED.format(ZEROG)),
        ("zerog/tuned", ZEROG, TUNED.format(ZEROG)),
    ):
        ratios = _ratios(rows, one, other).values()
        found[f"{name} least"], found[f"{name} most"] = f"{min(ratios):.1f}", f"{max(ratios):.1f}"
    for name, key in ((JOB, "job"), (ZEROG, "zerog")):
        seconds = policy(rows, name, "seconds")
        found |= {f"{key} {load}": f"{seconds[load]:,.0f}" for load in ("spike", "cron")}
    return found


def _fastest_is_huey() -> bool:
    stored = {name: values["stored_per_second"] for name, values in measured().items()}
    del stored["zerog"]
    return max(stored, key=lambda name: stored[name]) == "huey"


def _ratios(rows: Rows, one: str, other: str) -> dict[str, float]:
    """Return the worker-seconds of one policy in those of another, where both are known."""
    seconds, others = policy(rows, one, "seconds"), policy(rows, other, "seconds")
    return {load: seconds[load] / others[load] for load in seconds if load in others}


def _interrupts_on(name: str) -> set[str]:
    return {load for load, count in policy(simulated(), name, "interrupted").items() if count}


def _cheapest_on(name: str, *others: str) -> set[str]:
    rows = simulated()
    ratios = [_ratios(rows, name, other) for other in others]
    return {load for load in policy(rows, name, "p95") if all(it.get(load, 0) < 1 for it in ratios)}


#: (page, sentence, whether the figures bear it out)
CLAIMS: list[tuple[str, str, Callable[[], bool]]] = [
    (PERFORMANCE, "as many as the fastest peer, huey", _fastest_is_huey),
    (PERFORMANCE, "When idle, huey answers a little sooner",
     lambda: measured()["huey"]["idle_p50_ms"] < measured()["zerog"]["idle_p50_ms"]),
    (COMPARISON, "Nearer to ZeroG in speed are huey", _fastest_is_huey),
    (COMPARISON, "When idle, huey answers sooner than ZeroG",
     lambda: measured()["huey"]["idle_p50_ms"] < measured()["zerog"]["idle_p50_ms"]),
    (COMPARISON, "ZeroG's p95 stayed within its 10 s target on all five",
     lambda: max(policy(simulated(), ZEROG, "p95").values()) <= 10),
    (COMPARISON, "KEDA's Deployments interrupted jobs on `day` and `longtail`",
     lambda: _interrupts_on(OBJECT) == {"day", "longtail"}),
    (COMPARISON, "ScaledJobs interrupted none and were the cheapest on `spike` and `cron`",
     lambda: not _interrupts_on(JOB) and _cheapest_on(JOB, ZEROG, OBJECT) == {"spike", "cron"}),
    (COMPARISON, "it was cheaper on `step`, `spike` and `longtail`, and ScaledJobs were on `cron`",
     lambda: _cheapest_on(TUNED.format(OBJECT), TUNED.format(ZEROG))
     == {"step", "spike", "longtail"}
     and _cheapest_on(TUNED.format(JOB), TUNED.format(ZEROG), TUNED.format(OBJECT)) == {"cron"}),
]  # fmt: skip


def _pattern(sentence: str) -> re.Pattern[str]:
    words = [re.escape(word).replace(r"\{\}", r"(\d[\d,.]*\d|\d)") for word in sentence.split()]
    return re.compile(r"\s+".join(words))


def with_figures(page: str, text: str) -> str:
    """Return a page with its figures as they were measured. `ValueError` if a sentence is gone."""
    known = figures()
    for sentence, names in SENTENCES[page]:
        found = _pattern(sentence).search(text)
        if found is None:
            raise ValueError(
                f"{page} lacks the sentence {sentence!r}: change it in hack/figures.py"
            )
        for number in range(len(names), 0, -1):
            begin, end = found.span(number)
            text = text[:begin] + known[names[number - 1]] + text[end:]
    return text


def untrue() -> Iterator[str]:
    """Say which conclusions the figures do not bear out, or a page does not draw any more."""
    for page, sentence, holds in CLAIMS:
        if _pattern(sentence).search((ROOT / page).read_text()) is None:
            yield f"{page} lacks the sentence {sentence!r}: change it in hack/figures.py"
        elif not holds():
            yield f"{page} says {sentence!r}, and {PERFORMANCE} does not bear that out"
