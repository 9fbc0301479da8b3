"""The arguments of each command, with their help.

Nothing of ZeroG is imported that takes time: `zerog --help` starts fast.
"""

import argparse
from typing import Any

from zerog.cli import completing
from zerog.cli.parser import (
    count,
    idempotency_key,
    job_uuid,
    label,
    moment,
    number,
    port,
    seconds,
    text,
)
from zerog.logs import add_option

#: A job's states, as `zerog.model.record.State` has them: importing that takes longer than a help.
STATES = ("queued", "running", "waiting", "succeeded", "failed", "cancelled", "expired")
#: Why an attempt ended, as `zerog.model.record.Cause` has them.
CAUSES = (
    "succeeded", "continued", "error", "finished", "invalid", "timeout", "crash", "outOfMemory",
    "interrupted", "cancelled",
)  # fmt: skip
#: Levels of a log's lines, the least serious first.
LEVELS = ("info", "warning", "error")


def nothing(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def one_job(parser: argparse.ArgumentParser) -> None:
    """The UUID of a job."""
    add: Any = parser.add_argument
    help_text = "the job's UUID, or its first 8 or more digits if they are unique"
    add("uuid", type=job_uuid, metavar="UUID", help=help_text).completer = completing.uuids


def data(parser: argparse.ArgumentParser) -> None:
    """A job, and where its data goes."""
    one_job(parser)
    _output(parser)


def some_jobs(parser: argparse.ArgumentParser) -> None:
    """Jobs by UUID, or by a filter."""
    add: Any = parser.add_argument
    help_text = "UUIDs of jobs, or their first digits"
    add(
        "uuid", nargs="*", type=job_uuid, metavar="UUID", help=help_text
    ).completer = completing.uuids
    _choice(parser, "all jobs")
    add("-y", "--yes", action="store_true", help="do not ask before changing the jobs of a filter")
    add("--dry-run", action="store_true", help="only show which jobs would change")


def _choice(parser: argparse.ArgumentParser, what: str) -> None:
    again = "can be repeated"
    add: Any = parser.add_argument
    add(
        "--type", action="append", type=text, help=f"{what} of this type; {again}"
    ).completer = completing.types
    add("--state", action="append", choices=STATES, metavar="STATE",
        help=f"{what} in this state ({', '.join(STATES)}); {again}")  # fmt: skip
    add(
        "--queue", action="append", type=text, help=f"{what} of this queue; {again}"
    ).completer = completing.queues
    add("--label", action="append", type=label, metavar="KEY=VALUE",
        help=f"{what} with this label; if repeated: with all of them")  # fmt: skip
    add("--cause", action="append", choices=CAUSES, metavar="CAUSE",
        help=f"{what} whose last attempt ended with this cause ({', '.join(CAUSES)}); "
        f"{again}")  # fmt: skip
    for name, when in (("submitted", "were submitted"), ("ended", "ended")):
        add(
            f"--{name}-after",
            type=moment,
            metavar="TIME",
            help=f"{what} that {when} at this time or later, e.g. 2026-01-31T12:00:00Z, or 6h for "
            "six hours ago",
        )
        add(f"--{name}-before", type=moment, metavar="TIME",
            help=f"{what} that {when} before this time")  # fmt: skip


def submission(parser: argparse.ArgumentParser) -> None:
    """A job to be submitted."""
    add: Any = parser.add_argument
    add(
        "type", type=text, metavar="TYPE", help="the job type; `zerog types` lists them"
    ).completer = completing.types
    add(
        "parameters",
        nargs="*",
        default=[],
        metavar="key=value",
        help="parameters: JSON if it parses, else text; key=@file reads a text file, "
        "key=@base64:file any file",
    ).completer = completing.parameters
    parser.add_argument("--params", metavar="FILE", help="JSON object of parameters, - for stdin")
    parser.add_argument(
        "--priority", type=int, metavar="0…9", help="0 runs first, 9 last (default: the type's)"
    )
    parser.add_argument("--delay", type=seconds, metavar="SECONDS", help="delay it by SECONDS")
    parser.add_argument(
        "--expires", type=seconds, metavar="SECONDS",
        help="end it as expired if no worker has started it within SECONDS",
    )  # fmt: skip
    parser.add_argument(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="how long an attempt may run (default: the type's)",
    )
    parser.add_argument(
        "--label", action="append", type=label, metavar="KEY=VALUE",
        help="a label of the job; can be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--key", type=idempotency_key, help="Idempotency-Key: the same key submits only once"
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"""\
examples:
  {parser.prog} WordStatistics text=@README.md top=3
  {parser.prog} Thumbnails picture=@base64:cat.png 'sizes=[64, 128]'
"""


def run(parser: argparse.ArgumentParser) -> None:
    """A job to be submitted and followed."""
    submission(parser)
    _limit(parser)
    _output(parser)


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", help="write the output to FILE, as JSON")


def _limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--for",
        dest="limit",
        type=seconds,
        metavar="SECONDS",
        help="follow it for at most SECONDS; the job continues",
    )


def watch(parser: argparse.ArgumentParser) -> None:
    """A job to be followed."""
    one_job(parser)
    _limit(parser)


def listing(parser: argparse.ArgumentParser) -> None:
    """Which jobs to list."""
    _choice(parser, "only jobs")
    parser.add_argument(
        "-n", "--limit", type=count, default=20, metavar="N", help="at most N jobs (default 20)"
    )
    parser.add_argument("-w", "--watch", action="store_true", help="keep showing them until ^C")


def logs(parser: argparse.ArgumentParser) -> None:
    """Whose log, and which lines of it."""
    one_job(parser)
    parser.add_argument(
        "-f", "--follow", action="store_true", help="continue until the job is finished"
    )
    parser.add_argument(
        "--attempt", type=count, metavar="N", help="only lines of this attempt (default: all)"
    )
    parser.add_argument(
        "--level", choices=LEVELS, metavar="LEVEL",
        help=f"only lines of this level or worse ({', '.join(LEVELS)})",
    )  # fmt: skip


def pause(parser: argparse.ArgumentParser) -> None:
    """A queue, and why it is paused."""
    resume(parser)
    _reason(parser)


def resume(parser: argparse.ArgumentParser) -> None:
    """A queue."""
    add: Any = parser.add_argument
    add(
        "queue", type=text, metavar="QUEUE", help="the queue; `zerog queues` lists them"
    ).completer = completing.queues


def drain(parser: argparse.ArgumentParser) -> None:
    """A worker, and why it drains."""
    undrain(parser)
    _reason(parser)


def usage(parser: argparse.ArgumentParser) -> None:
    """How far to look back."""
    parser.add_argument(
        "--minutes",
        type=count,
        default=60,
        metavar="N",
        help="include attempts that ended in the last N minutes, at most 360 (default: 60)",
    )


def undrain(parser: argparse.ArgumentParser) -> None:
    """A worker."""
    add: Any = parser.add_argument
    add(
        "worker", type=text, metavar="WORKER", help="the worker; `zerog workers` lists them"
    ).completer = completing.workers


def _reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", type=text, metavar="TEXT", help="why, for people: one line")


def _modules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("jobs", nargs="*", metavar="MODULE", help="module or .py file with jobs")


def _store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        metavar="URL",
        help="the datastore: sqlite:///PATH or couchbase://… (ZEROG_STORE)",
    )


def _queue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--queue-address",
        dest="queue",
        metavar="HOST:PORT",
        help="beanstalkd's address (ZEROG_QUEUE)",
    )


def places(parser: argparse.ArgumentParser) -> None:
    """Where datastore and queue are."""
    _store(parser)
    _queue(parser)


def worker(parser: argparse.ArgumentParser) -> None:
    """How a worker runs."""
    _modules(parser)
    places(parser)
    parser.add_argument(
        "--slots", type=int, metavar="N", help="jobs at the same time (ZEROG_SLOTS)"
    )
    parser.add_argument(
        "--queues",
        nargs="+",
        metavar="QUEUE",
        help="serve only these (ZEROG_QUEUES; default: those of the jobs)",
    )
    parser.add_argument(
        "--grace-seconds",
        type=seconds,
        metavar="SECONDS",
        help="how long jobs may continue after SIGTERM (ZEROG_GRACE_SECONDS)",
    )
    parser.add_argument(
        "--metrics-port",
        type=int,
        metavar="PORT",
        help="serve /metrics, /healthz and /readyz there (ZEROG_METRICS_PORT; default: nowhere)",
    )
    add_option(parser)


def dev(parser: argparse.ArgumentParser) -> None:
    """How everything on this machine runs."""
    _modules(parser)
    parser.add_argument("--port", type=port, help="the API's port (default 8080 or a free one)")
    parser.add_argument("--queue-port", type=port, help="beanstalkd's port (default a free one)")
    parser.add_argument(
        "--data", default=".zerog", metavar="FOLDER", help="folder for all data (default .zerog)"
    )
    parser.add_argument(
        "--slots", type=int, metavar="N", help="jobs at the same time (default: processors)"
    )
    parser.add_argument(
        "--reload", action="store_true", help="restart the worker when code changes"
    )
    parser.add_argument(
        "--grace-seconds",
        type=seconds,
        default=10.0,
        metavar="SECONDS",
        help="how long jobs may continue after ^C (default 10); a second ^C ends them at once",
    )
    parser.add_argument("--no-hints", action="store_true", help="do not suggest what to try next")
    add_option(parser)


def repair(parser: argparse.ArgumentParser) -> None:
    """Where the jobs are, and how to log."""
    places(parser)
    add_option(parser)


def describe(parser: argparse.ArgumentParser) -> None:
    """Which modules, and whether their types are registered."""
    _modules(parser)
    parser.add_argument(
        "--register",
        action="store_true",
        help="also write the types into the datastore, as a worker does",
    )
    _store(parser)


def datastore(parser: argparse.ArgumentParser) -> None:
    """What to do with the datastore."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")

    init = add("init", "create the scope, collections and indexes that a Couchbase bucket needs")
    init.add_argument(
        "--dry-run", action="store_true", help="only print the statements, change nothing"
    )
    init.add_argument(
        "--index-replicas",
        type=int,
        default=0,
        metavar="N",
        help="copies of each index on other nodes (default 0)",
    )
    init.add_argument(
        "--wait",
        type=number(0),
        default=300.0,
        metavar="SECONDS",
        help="wait for at most SECONDS until the indexes are built (default 300)",
    )
    check = add("check", "report what the datastore lacks, and how to fix it")
    for action in (init, check):
        _store(action)
    copy = add("copy", "copy all jobs to another datastore; repeat it to copy what is missing")
    copy.add_argument("source", metavar="FROM", help="the datastore's URL: sqlite:///PATH, …")
    copy.add_argument("target", metavar="TO", help="the other one's URL: couchbase://…")
    for action in (check, copy):
        action.add_argument(
            "--json",
            action="store_true",
            default=argparse.SUPPRESS,
            help="print JSON, for programs",
        )


def completion(parser: argparse.ArgumentParser) -> None:
    """Which shell."""
    parser.add_argument("shell", choices=["bash", "zsh", "fish"], help="the shell")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = """\
bash, zsh: add to the file that your shell reads at startup
  eval "$(zerog completion bash)"
fish:
  zerog completion fish > ~/.config/fish/completions/zerog.fish
"""
