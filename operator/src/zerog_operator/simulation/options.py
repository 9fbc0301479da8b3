"""The arguments of `zerog simulate`, and the pool that they describe.

Flags win over the pool's file; what neither says has the defaults of a ZeroGWorkerPool. All of
it goes through `PoolSpec.parse`, so a simulated pool obeys the rules of a real one.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from zerog.cli.parser import Parser, number
from zerog.model.errors import ConfigError
from zerog_operator.pool import PoolSpec, StopPolicy
from zerog_operator.simulation.cluster import ClusterSettings
from zerog_operator.simulation.trace import SHIPPED

#: As KEDA's `maxReplicaCount`, so that both may do the same; a pool's own default is 10.
MAX_REPLICAS = 100
#: KEDA has no default for messages per worker; this is what its examples commonly use.
KEDA_VALUE = 5.0

_CLUSTER = ClusterSettings()
Flag = tuple[str, str, Callable[[str], float], str, str]
#: (flag, field in the spec, type, its name in the help, help)
_SPEC_FLAGS: tuple[Flag, ...] = (
    ("--min-replicas", "minReplicas", int, "N", "never fewer workers (default 0)"),
    ("--max-replicas", "maxReplicas", int, "N", f"never more workers (default {MAX_REPLICAS})"),
    ("--slots", "slots", int, "N", "jobs that a worker runs at the same time (default 1)"),
)
_SCALING_FLAGS: tuple[Flag, ...] = (
    ("--target-start-seconds", "targetStartSeconds", float, "SECONDS",
     "jobs should start within so long (default 10)"),
    ("--jobs-per-worker", "jobsPerWorker", int, "N",
     "instead of that: a worker for so many jobs in the queue"),
    ("--expected-job-seconds", "expectedJobSeconds", float, "SECONDS",
     "how long a job is believed to take until one was measured (default 30)"),
    ("--scale-down-delay-seconds", "scaleDownDelaySeconds", float, "SECONDS",
     "keep an idle worker so long (default 60)"),
    ("--min-idle", "minIdle", int, "N", "idle workers that are kept ready (default 0)"),
)  # fmt: skip
_EPILOG = """\
also:
  zerog simulate record --queue NAME -o FILE   record a load from a live queue
  zerog simulate generate NAME -o FILE         make another load of a built-in one's shape

examples:
  zerog simulate --trace spike --max-replicas 50
  zerog simulate --pool pool.yaml --trace recorded.csv --plot comparison.svg
"""


def build_parser() -> Parser:
    """Return the parser of `zerog simulate` itself."""
    parser = Parser(
        prog="zerog simulate",
        description="Try how a pool scales under a load, beside models of KEDA. Needs no cluster.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--trace",
        default="step",
        metavar="FILE|NAME",
        help=f"the load: a CSV file, or one of {', '.join(SHIPPED)} (default step)",
    )
    pool = parser.add_argument_group("the pool")
    pool.add_argument(
        "--pool", type=Path, metavar="FILE", help="YAML with a ZeroGWorkerPool; flags win over it"
    )
    for flag, field, kind, name, text in _SPEC_FLAGS + _SCALING_FLAGS:
        pool.add_argument(flag, dest=field, type=kind, metavar=name, help=text)
    _add_cluster(parser.add_argument_group("the cluster that is played"))
    keda = parser.add_argument_group("what it is compared with")
    keda.add_argument(
        "--keda-value",
        type=number(0.001),
        metavar="N",
        help=f"KEDA's messages per worker (default jobsPerWorker, else {KEDA_VALUE:g})",
    )
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print JSON, for programs")
    output.add_argument("--plot", type=Path, metavar="FILE", help="draw it into a .svg or .png")
    return parser


def _add_cluster(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--pod-start-seconds",
        type=number(0),
        default=_CLUSTER.pod_start_seconds,
        metavar="SECONDS",
        help="from a pod's creation until it is ready, give or take a fifth (default %(default)g)",
    )
    group.add_argument(
        "--grace-seconds",
        type=number(0),
        default=_CLUSTER.grace_seconds,
        metavar="SECONDS",
        help="how long a pod that KEDA's way deletes may go on (default %(default)g)",
    )
    group.add_argument(
        "--seed",
        type=int,
        default=_CLUSTER.seed,
        metavar="N",
        help="another one gives other chances (default %(default)s)",
    )


def read_pool(options: argparse.Namespace) -> PoolSpec:
    """Return the pool that the options describe. `ConfigError` lists what is wrong with it."""
    name, spec = _read_file(options.pool) if options.pool else ("simulated", {})
    if not options.pool:
        spec["maxReplicas"] = MAX_REPLICAS
    flags = vars(options)
    for _, field, *_ in _SPEC_FLAGS:
        if flags[field] is not None:
            spec[field] = flags[field]
    given = {field: flags[field] for _, field, *_ in _SCALING_FLAGS if flags[field] is not None}
    spec["scaling"] = _merge(spec.get("scaling"), given)
    parsed = PoolSpec.parse(name, spec)
    if parsed.stop_policy is not StopPolicy.NONE:
        raise ConfigError(f"pool {name}: stopPolicy {parsed.stop_policy} does not scale by load")
    if parsed.max_replicas < 1:
        raise ConfigError(f"pool {name}: without a worker (maxReplicas 0) no job is ever run")
    return parsed


def _merge(scaling: Any, given: dict[str, Any]) -> Any:
    if not given or not (scaling is None or isinstance(scaling, dict)):
        return scaling  # what is no object is refused by the pool's own check
    kept = dict(scaling or {})
    if "jobsPerWorker" in given or "targetStartSeconds" in given:
        # A flag for the one replaces the file's choice of the other.
        kept.pop("jobsPerWorker", None)
        kept.pop("targetStartSeconds", None)
    return {**kept, **given}


def _read_file(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"the pool's file {path} cannot be read: {error}") from error
    pools = [
        item
        for item in documents
        if isinstance(item, dict) and item.get("kind") == "ZeroGWorkerPool"
    ]
    if len(pools) != 1:
        raise ConfigError(f"{path} holds {len(pools)} objects of kind ZeroGWorkerPool, not one")
    metadata, spec = pools[0].get("metadata"), pools[0].get("spec", {})
    if not isinstance(metadata, dict) or not isinstance(spec, dict) or not metadata.get("name"):
        raise ConfigError(f"{path}: a pool needs metadata.name and an object as its spec")
    return str(metadata["name"]), dict(spec)
