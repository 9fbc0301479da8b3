"""The command `zerog simulate`, brought to the `zerog` command by an entry point."""

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from zerog.cli import codes
from zerog.cli.output import print_json, print_table
from zerog.cli.parser import Parser, number
from zerog.cli.words import counted, say
from zerog.console import ShownConsole
from zerog.model.names import queue_of_tube
from zerog.queue import connect_queue
from zerog.settings import DEFAULT_QUEUE, PlaceSettings, environment, load
from zerog_simulate import options as arguments
from zerog_simulate.cluster import ClusterSettings
from zerog_simulate.comparison import ReportProgress, compare
from zerog_simulate.contestant import contestants
from zerog_simulate.generate import SEED, SHAPES, generate, load_trace
from zerog_simulate.keda import SCALED_JOB, SCALED_OBJECT
from zerog_simulate.plot import check_plot, draw
from zerog_simulate.record import Recording, record, to_trace
from zerog_simulate.report import COLUMNS, footnotes, headline, table, to_json
from zerog_simulate.setting import read_settings
from zerog_simulate.trace import Trace, write_trace
from zerog_simulate.tuning import Search


def main(argv: Sequence[str]) -> int:
    """Run the command, return its exit code. `ZeroGError` is for `zerog` to report."""
    match list(argv):
        case ["record", *rest]:
            return _record(_record_parser().parse_args(rest))
        case ["generate", *rest]:
            return _generate(_generate_parser().parse_args(rest))
        case _:
            return _simulate(arguments.build_parser().parse_args(argv))


def _simulate(options: argparse.Namespace) -> int:
    pool = arguments.read_pool(options)
    trace = load_trace(options.trace)
    everyone = contestants(
        pool,
        read_settings("--scaled-object", SCALED_OBJECT, options.scaled_object),
        read_settings("--scaled-job", SCALED_JOB, options.scaled_job),
        arguments.read_time(options.begin),
    )
    if options.plot:
        check_plot(options.plot)
    spec = pool.parsed
    settings = ClusterSettings(
        slots=spec.slots, pod_start_seconds=options.pod_start_seconds, seed=options.seed
    )
    target = spec.scaling.target_start_seconds
    goal = options.goal_seconds or target or arguments.GOAL_SECONDS
    search = Search(goal, int(options.tries), options.seed)
    with _bar() as report:
        comparison = compare(trace, everyone, settings, search, progress=report)
    if options.plot:
        draw(comparison, options.plot)
    if options.json:
        print_json(to_json(comparison))
        return codes.OK
    say(headline(comparison))
    print_table(COLUMNS, table(comparison), "")
    for line in ("", *footnotes(comparison)):
        say(line)
    return codes.OK


def _record(options: argparse.Namespace) -> int:
    address = load(PlaceSettings, environment(), queue=options.queue_address).queue
    queues = asyncio.run(_queues(address))
    if options.queue not in queues:  # a tube that nobody uses is gone, so it may come yet
        say(
            f"warning: beanstalkd at {address} has no queue {options.queue} now; "
            f"it has: {', '.join(queues) or 'none'}"
        )
    with _bar() as report:

        def progress(part: float, recording: Recording) -> None:
            jobs = sum(count for _, count, _ in recording.seen)
            report(counted(jobs, "job"), part)

        work = record(address, options.queue, options.seconds, progress=progress)
        recording = asyncio.run(work)
    trace = to_trace(recording, options.queue, options.expected_job_seconds)
    write_trace(trace, options.output)
    _written(trace, options.output)
    if not trace.jobs:
        say("no job came: record for longer, or while there is work")
        return codes.FAILED
    return codes.OK


async def _queues(address: str) -> list[str]:
    """Return the queues that have a tube."""
    queue = await connect_queue(address)
    try:
        return sorted(filter(None, map(queue_of_tube, await queue.tubes())))
    finally:
        await queue.close()


def _generate(options: argparse.Namespace) -> int:
    trace = generate(options.name, options.seed)
    write_trace(trace, options.output)
    _written(trace, options.output)
    return codes.OK


def _written(trace: Trace, path: Path) -> None:
    say(f"{counted(trace.jobs, 'job')} in {trace.seconds:.0f} s, written to {path}")


def parsers() -> list[Parser]:
    """Return the parsers of the command and of its subcommands."""
    return [arguments.build_parser(), _record_parser(), _generate_parser()]


def _record_parser() -> Parser:
    parser = Parser(
        prog="zerog simulate record",
        description="Record a load from a live queue. Only reads beanstalkd's counters.",
    )
    parser.add_argument("--queue", required=True, metavar="NAME", help="the queue")
    parser.add_argument(
        "--queue-address",
        metavar="HOST:PORT",
        help=f"beanstalkd's address (ZEROG_QUEUE, default {DEFAULT_QUEUE})",
    )
    parser.add_argument(
        "--seconds",
        type=number(1),
        default=600.0,
        metavar="SECONDS",
        help="how long to record (default 600)",
    )
    parser.add_argument(
        "--expected-job-seconds",
        type=number(0.001),
        default=30.0,
        metavar="SECONDS",
        help="how long jobs take, if none ends meanwhile (default 30)",
    )
    _add_output(parser)
    return parser


def _generate_parser() -> Parser:
    parser = Parser(
        prog="zerog simulate generate",
        description="Make another load of a built-in one's shape and write it as a CSV file.",
    )
    parser.add_argument("name", choices=tuple(SHAPES), help="the shape")
    parser.add_argument(
        "--seed",
        type=int,
        default=SEED,
        metavar="N",
        help="another one gives another load (default %(default)s)",
    )
    _add_output(parser)
    return parser


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="where to write it, as CSV"
    )


@contextmanager
def _bar() -> Iterator[ReportProgress]:
    """Show a bar while something long goes on, on a terminal only."""
    console = ShownConsole(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as it:
        task = it.add_task("", total=1.0)
        yield lambda name, part: it.update(task, description=name, completed=part)
