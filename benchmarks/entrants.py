"""Who is played alongside the real KEDA, on which trace, and the table of the results.

Settings have the names of `zerog_simulate`. Each entrant's are written into manifests here and
given to its model in the simulator as they are, so that both do the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.played import START_SECONDS, build_template
from zerog.model.names import tube_name
from zerog_operator import names
from zerog_simulate.cluster import ClusterSettings
from zerog_simulate.comparison import play
from zerog_simulate.contestant import Contestant, contestants
from zerog_simulate.engine import WrittenPool
from zerog_simulate.generate import generate
from zerog_simulate.options import DEFAULT_SPEC
from zerog_simulate.outcome import Outcome
from zerog_simulate.setting import Values
from zerog_simulate.trace import Arrivals, Trace

#: The trace: this much of two built-in loads, from a moment of each, and no job takes longer.
TRACE_SECONDS, LONGEST_SECONDS = 400.0, 90.0
PARTS = (("spike", 1590.0), ("longtail", 0.0))
#: Real polls begin at any moment, and these do.
SEEDS = range(1, 41)
#: The pod template's label, and the names of what is made in an entrant's namespace.
APP, NAME = {"app": "workers"}, "workers"
#: Of KEDA's connection to beanstalkd. Its default of 30 ms is short for a busy machine.
TIMEOUT_MILLISECONDS = "5000"
ZEROG, OBJECT, JOB = "ZeroG", "KEDA ScaledObject", "KEDA ScaledJob"


@dataclass(frozen=True, slots=True)
class Entrant:
    """A way to scale with its settings, and the namespace that it has to itself."""

    namespace: str
    title: str
    #: The name of its model in the simulator.
    model: str
    #: What differs from the defaults.
    values: Values


#: Looks often, grows at once, lets busy pods finish, leaves soon; needs no flag of the cluster.
EXPERT: Values = {
    "value": 1.0,
    "pollingInterval": 2,
    "cooldownPeriod": 10,
    "scaleUp.percent": 1000,
    "scaleUp.percentPeriodSeconds": 1,
    "scaleUp.pods": 100,
    "scaleUp.podsPeriodSeconds": 1,
    "scaleUp.tolerance": 0.0,
    "scaleDown.stabilizationWindowSeconds": 10,
    "scaleDown.tolerance": 0.0,
    "terminationGracePeriodSeconds": 7200,
}
ENTRANTS = (
    Entrant("zerog", "ZeroG, defaults", ZEROG, {}),
    Entrant("object", f"{OBJECT}, defaults", OBJECT, {}),
    Entrant("object-expert", f"{OBJECT}, an expert's", OBJECT, EXPERT),
    Entrant("job", f"{JOB}, defaults", JOB, {}),
    Entrant("job-expert", f"{JOB}, an expert's", JOB, {"pollingInterval": 2}),
)


def build_trace() -> Trace:
    """Return a burst of short jobs in the middle of a load of mixed ones."""
    arrivals = [
        Arrivals(round(item.time - begin, 1), item.jobs, min(item.job_seconds, LONGEST_SECONDS))
        for name, begin in PARTS
        for item in generate(name).arrivals
        if item.jobs and begin <= item.time < begin + TRACE_SECONDS
    ]
    arrivals.sort(key=lambda item: item.time)
    return Trace("burst", (*arrivals, Arrivals(TRACE_SECONDS, 0, 0.0)))


def simulate(trace: Trace, entrant: Entrant) -> list[Outcome]:
    """Return what the simulator says of an entrant, for each of `SEEDS`."""
    model = _models()[entrant.model]
    values = {**model.given, **entrant.values}
    settings = (
        ClusterSettings(pod_start_seconds=START_SECONDS, pod_start_spread=0.0, seed=seed)
        for seed in SEEDS
    )
    return [play(trace, model, values, item) for item in settings]


def _models() -> dict[str, Contestant]:
    everyone = contestants(WrittenPool(spec=DEFAULT_SPEC), {}, {})
    return {item.name: item for item in everyone}


def build_objects(entrant: Entrant, queue: str) -> list[dict[str, Any]]:
    """Return what makes an entrant scale the pods of its namespace by its tube."""
    if entrant.model == ZEROG:
        return [_build_pool(entrant)]
    model = _models()[entrant.model]
    defaults = {setting.name: setting.default for setting in model.settings}
    values: dict[str, Any] = {**defaults, **model.given, **entrant.values}
    trigger = {
        "server": queue,
        "tube": tube_name(entrant.namespace),
        "value": f"{values['value']:g}",
        "activationValue": f"{values['activationValue']:g}",
        "timeout": TIMEOUT_MILLISECONDS,
    }
    spec = {
        "pollingInterval": values["pollingInterval"],
        "maxReplicaCount": values["maxReplicaCount"],
        "triggers": [{"type": "beanstalkd", "metadata": trigger}],
    }
    if entrant.model == JOB:
        return [_build("keda.sh/v1alpha1", "ScaledJob", {**spec, **_build_job(values)})]
    template = build_template(APP)
    template["spec"]["terminationGracePeriodSeconds"] = values["terminationGracePeriodSeconds"]
    deployment = {"replicas": 0, "selector": {"matchLabels": APP}, "template": template}
    spec |= {
        "scaleTargetRef": {"name": NAME},
        "cooldownPeriod": values["cooldownPeriod"],
        "minReplicaCount": values["minReplicaCount"],
        **_build_behavior(values, entrant.values),
    }
    return [
        _build("apps/v1", "Deployment", deployment),
        _build("keda.sh/v1alpha1", "ScaledObject", spec),
    ]


def _build_pool(entrant: Entrant) -> dict[str, Any]:
    spec = {
        **DEFAULT_SPEC,
        "queue": entrant.namespace,
        "jobs": ["acme.jobs"],
        "scaling": {"targetStartSeconds": 10},
        "template": build_template({}),
    }
    return _build(f"{names.GROUP}/{names.VERSION}", names.KIND, spec)


def _build_job(values: Mapping[str, Any]) -> dict[str, Any]:
    template = build_template(APP)
    template["spec"]["restartPolicy"] = "Never"
    return {
        "jobTargetRef": {"template": template},
        "scalingStrategy": {"strategy": values["scalingStrategy"]},
    }


def _build(version: str, kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": NAME}, "spec": dict(spec)}


def _build_behavior(values: Mapping[str, Any], own: Values) -> dict[str, Any]:
    """Return the `advanced` of a ScaledObject; nothing where no rule is given, as in the model."""
    if not any(name.startswith(("scaleUp.", "scaleDown.")) for name in own):
        return {}
    rules = {way: _build_rules(values, way) for way in ("scaleUp", "scaleDown")}
    return {"advanced": {"horizontalPodAutoscalerConfig": {"behavior": rules}}}


def _build_rules(values: Mapping[str, Any], way: str) -> dict[str, Any]:
    policies = [
        {
            "type": kind,
            "value": values[f"{way}.{kind.lower()}"],
            "periodSeconds": round(values[f"{way}.{kind.lower()}PeriodSeconds"]),
        }
        for kind in ("Percent", "Pods")
        if values[f"{way}.{kind.lower()}"]
    ]
    return {
        "stabilizationWindowSeconds": round(values[f"{way}.stabilizationWindowSeconds"]),
        "selectPolicy": values[f"{way}.selectPolicy"],
        "tolerance": f"{values[f'{way}.tolerance']:g}",
        "policies": policies,
    }


#: The columns of the table: heading and format.
COLUMNS = {
    "p50 (s)": ".1f",
    "p95 (s)": ".1f",
    "worker-seconds": ",.0f",
    "interrupted": ".0f",
    "peak": ".0f",
}


def summarize(outcome: Outcome) -> dict[str, float]:
    """Return an outcome's figures for `COLUMNS`."""
    values = (
        outcome.latency(0.5),
        outcome.latency(0.95),
        outcome.worker_seconds,
        outcome.interrupted,
        outcome.peak_workers,
    )
    return {column: round(value, 2) for column, value in zip(COLUMNS, values, strict=True)}


def spread(outcomes: list[Outcome]) -> dict[str, list[float]]:
    """Return the least, the median and the most of the figures for `COLUMNS`."""
    found = [summarize(outcome) for outcome in outcomes]
    return {
        column: [look([item[column] for item in found]) for look in (min, median, max)]
        for column in COLUMNS
    }


def table(rows: Mapping[str, Any]) -> str:
    """Return the table of the docs: what was measured, then the simulator's median and range."""
    lines = [f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for title, row in rows.items():
        cells = (
            f"**{row['measured'][column]:{form}}** · {_describe(row['simulated'][column], form)}"
            for column, form in COLUMNS.items()
        )
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _describe(values: list[float], form: str) -> str:
    low, middle, high = (f"{value:{form}}" for value in values)
    return middle if low == high else f"{middle} ({low} to {high})"
