"""The arguments of `zerog simulate`, and the pool that they describe.

Flags win over the pool's file; what neither says has the defaults of a ZeroGWorkerPool. All of
it is read by the operator's own code, so a simulated pool obeys the rules of a real one.
"""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from zerog.cli.parser import Parser, number
from zerog.model.errors import ConfigError
from zerog.model.record import parse_time
from zerog_simulate.cluster import ClusterSettings
from zerog_simulate.engine import StopPolicy, WrittenPool
from zerog_simulate.generate import SHAPES
from zerog_simulate.keda import MAX_REPLICAS, SCALED_JOB, SCALED_OBJECT
from zerog_simulate.setting import Setting
from zerog_simulate.tuning import QUANTILE

#: How many settings the search tries for each contestant.
TRIES = 100
#: What the search aims at where the pool has no target.
GOAL_SECONDS = 10.0

#: A pool without a file: as many workers as KEDA allows, where a pool's own default is 10.
DEFAULT_SPEC = {"maxReplicas": MAX_REPLICAS}

#: When a load begins: it has no date, and windows go by one.
BEGIN = "2026-01-05T00:00:00Z"

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

names for --scaled-object, with their defaults:
{objects}
names for --scaled-job, with their defaults:
{jobs}
  The upper bounds are by default those of the pool, and so is minReplicaCount. Without any of
  scaleUp and scaleDown the HorizontalPodAutoscaler has no `behavior`, as KEDA makes it.

examples:
  zerog simulate --trace spike --max-replicas 50
  zerog simulate --pool pool.yaml --trace recorded.csv --plot comparison.svg
  zerog simulate --scaled-object pollingInterval=5 --scaled-object value=2 --tries 0
"""


def _names(settings: Iterable[Setting]) -> str:
    """Return settings for the help, a line each."""
    return "\n".join(
        f"  {item.name}={item.default if isinstance(item.default, str) else f'{item.default:g}'}"
        + (f"  ({', '.join(item.choices)})" if item.choices else "")
        for item in settings
    )


def build_parser() -> Parser:
    """Return the parser of `zerog simulate` itself."""
    parser = Parser(
        prog="zerog simulate",
        description="Try how a pool scales under a load, beside models of KEDA. Needs no cluster.",
        epilog=_EPILOG.format(objects=_names(SCALED_OBJECT), jobs=_names(SCALED_JOB)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--trace",
        default="step",
        metavar="FILE|NAME",
        help=f"the load: a CSV file, or one of {', '.join(SHAPES)} (default step)",
    )
    pool = parser.add_argument_group("the pool")
    pool.add_argument(
        "--pool", type=Path, metavar="FILE", help="YAML with a ZeroGWorkerPool; flags win over it"
    )
    for flag, field, kind, name, text in _SPEC_FLAGS + _SCALING_FLAGS:
        pool.add_argument(flag, dest=field, type=kind, metavar=name, help=text)
    pool.add_argument(
        "--begin",
        default=BEGIN,
        metavar="TIME",
        help="when the load begins, for the pool's windows (default %(default)s, a Monday)",
    )
    _add_cluster(parser.add_argument_group("the cluster that is played"))
    keda = parser.add_argument_group("what it is compared with")
    for way in ("object", "job"):
        keda.add_argument(
            f"--scaled-{way}",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help=f"a setting of KEDA's Scaled{way.title()}, see below; may be repeated",
        )
    _add_search(parser.add_argument_group("the search for the cheapest settings of each"))
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
        "--seed",
        type=int,
        default=_CLUSTER.seed,
        metavar="N",
        help="another one gives other chances (default %(default)s)",
    )


def _add_search(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--tries",
        type=number(0),
        default=TRIES,
        metavar="N",
        help="how many settings are tried for each, 0 for no search (default %(default)s)",
    )
    group.add_argument(
        "--goal-seconds",
        type=number(0.1),
        metavar="SECONDS",
        help=f"{QUANTILE:.0%} of the jobs have to start within this ".replace("%", "%%")
        + f"(default targetStartSeconds, else {GOAL_SECONDS:g})",
    )


def read_time(text: str) -> float:
    """Return a time as a Unix time. `ConfigError` says what is wrong with it."""
    try:
        return parse_time(text).timestamp()
    except ValueError as error:
        raise ConfigError(f"--begin: {error}") from error


def read_pool(options: argparse.Namespace) -> WrittenPool:
    """Return the pool that the options describe. `ConfigError` lists what is wrong with it."""
    pool = _read_file(options.pool) if options.pool else WrittenPool(spec=DEFAULT_SPEC)
    stop = pool.parsed.stop_policy
    if stop is not StopPolicy.NONE:
        raise ConfigError(f"pool {pool.name}: stopPolicy {stop} does not scale by load")
    flags = vars(options)
    spec, scaling = (
        {field: flags[field] for _, field, *_ in group if flags[field] is not None}
        for group in (_SPEC_FLAGS, _SCALING_FLAGS)
    )
    pool = pool.changed(spec, scaling)
    if pool.parsed.max_replicas < 1:
        raise ConfigError(f"pool {pool.name}: without a worker (maxReplicas 0) no job is ever run")
    return pool


def _read_file(path: Path) -> WrittenPool:
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
    return WrittenPool(str(metadata["name"]), spec)
