"""The command `zerog simulate`, brought to the `zerog` command by an entry point."""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from zerog.cli import codes
from zerog.cli.output import print_json, print_table
from zerog.settings import DEFAULT_QUEUE, environment
from zerog_operator.simulation import options as arguments
from zerog_operator.simulation.cluster import ClusterSettings
from zerog_operator.simulation.comparison import Progress as Report
from zerog_operator.simulation.comparison import compare
from zerog_operator.simulation.generate import SEED, generate
from zerog_operator.simulation.plot import check_plot, draw
from zerog_operator.simulation.record import Recording, record, to_trace
from zerog_operator.simulation.report import COLUMNS, headline, table, to_json
from zerog_operator.simulation.trace import SHIPPED, load_trace, write_trace


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
    spec = arguments.read_pool(options)
    trace = load_trace(options.trace)
    if options.plot:
        check_plot(options.plot)
    settings = ClusterSettings(
        slots=spec.slots,
        pod_start_seconds=options.pod_start_seconds,
        grace_seconds=options.grace_seconds,
        seed=options.seed,
    )
    value = options.keda_value or float(spec.scaling.jobs_per_worker or arguments.KEDA_VALUE)
    with _bar() as report:
        comparison = compare(trace, spec, settings, keda_value=value, progress=report)
    if options.plot:
        draw(comparison, options.plot)
    if options.json:
        print_json(to_json(comparison))
        return codes.OK
    print(headline(comparison), file=sys.stderr)
    print_table(COLUMNS, table(comparison), "")
    return codes.OK


def _record(options: argparse.Namespace) -> int:
    address = options.queue_address or environment().get("ZEROG_QUEUE") or DEFAULT_QUEUE
    with _bar() as report:

        def progress(part: float, recording: Recording) -> None:
            jobs = sum(count for _, count, _ in recording.seen)
            report(f"{jobs} jobs", part)

        work = record(address, options.queue, options.seconds, progress=progress)
        recording = asyncio.run(work)
    trace = to_trace(recording, options.queue, options.expected_job_seconds)
    write_trace(trace, options.output)
    print(f"{trace.jobs} jobs in {trace.seconds:.0f} s: {options.output}", file=sys.stderr)
    if not trace.jobs:
        print("no job came: there is nothing to simulate in it", file=sys.stderr)
        return codes.FAILED
    return codes.OK


def _generate(options: argparse.Namespace) -> int:
    trace = generate(options.name, options.seed)
    write_trace(trace, options.output)
    print(f"{trace.jobs} jobs in {trace.seconds:.0f} s: {options.output}", file=sys.stderr)
    return codes.OK


def _record_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zerog simulate record",
        description="Record a trace from a live queue by beanstalkd's counters; changes nothing.",
    )
    parser.add_argument("--queue", required=True, help="the queue's name")
    parser.add_argument(
        "--queue-address", help=f"beanstalkd (ZEROG_QUEUE, default {DEFAULT_QUEUE})"
    )
    parser.add_argument(
        "--seconds", type=arguments.number(1), default=600.0, help="how long (default 600)"
    )
    parser.add_argument(
        "--expected-job-seconds",
        type=arguments.number(0.001),
        default=30.0,
        help="the length of jobs if none ends meanwhile (default 30)",
    )
    _add_output(parser)
    return parser


def _generate_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zerog simulate generate", description="Make a load up and write it as a trace."
    )
    parser.add_argument("name", choices=SHIPPED, help="its shape")
    parser.add_argument("--seed", type=int, default=SEED, help="of all chance (default 1)")
    _add_output(parser)
    return parser


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, help="the trace's file")


@contextmanager
def _bar() -> Iterator[Report]:
    """Show a bar while something long goes on, on a terminal only."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as it:
        task = it.add_task("", total=1.0)
        yield lambda name, part: it.update(task, description=name, completed=part)
