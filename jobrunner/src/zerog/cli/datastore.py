"""Commands about the datastore itself: make what it needs, look at it, copy it."""

import argparse
import asyncio
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zerog.cli import codes
from zerog.cli.output import print_json, print_table
from zerog.cli.words import counted, say, show
from zerog.console import ShownConsole
from zerog.ledger.copying import CopyReport, StateCount, compare, copy_all
from zerog.model.errors import ConfigError, DatastoreError
from zerog.settings import CouchbaseSettings, PlaceSettings, environment, load
from zerog.store import SQLITE, open_datastore
from zerog.store.port import Datastore, JobFilter

#: Statements that define, and copies, may take longer than a request of the API.
DEADLINE_SECONDS = 30.0
#: Jobs between two lines where there is no terminal.
_PLAIN_STEP = 5000


def command_datastore(options: argparse.Namespace) -> int:
    """Do what the subcommand says."""
    if options.action == "copy":
        return asyncio.run(_copy(options))
    settings = load(PlaceSettings, environment(), store=options.store)
    if not settings.store.startswith("couchbase"):
        return asyncio.run(_look(settings.store))
    if options.action == "init":
        return asyncio.run(_init(settings, options))
    return asyncio.run(_check(settings, options.json))


async def _look(url: str) -> int:
    """Other stores make what they need when they are opened."""
    store = await open_datastore(url, deadline_seconds=DEADLINE_SECONDS)
    try:
        await store.ready()
    finally:
        await store.close()
    show(f"{url} can be read and written; it needs nothing more")
    return codes.OK


async def _init(settings: PlaceSettings, options: argparse.Namespace) -> int:
    from zerog.store.couchbase import setup
    from zerog.store.couchbase.address import parse_address
    from zerog.store.couchbase.statements import Keyspace

    if options.dry_run:
        address = parse_address(settings.store)
        queries = settings.couchbase_listing == "query"
        keyspace = Keyspace(address.bucket, address.scope)
        for statement in setup.plan(keyspace, replicas=options.index_replicas, queries=queries):
            show(f"{statement};")
        return codes.OK
    async with setup.open_setup(settings.store, settings, DEADLINE_SECONDS) as made:
        lines = made.initialise(replicas=options.index_replicas, wait_seconds=options.wait)
        async for line in lines:
            show(line)
    return codes.OK


async def _check(settings: PlaceSettings, as_json: bool) -> int:
    from zerog.store.couchbase import setup

    async with setup.open_setup(settings.store, settings, DEADLINE_SECONDS) as there:
        found = setup.fixes(await there.inspect(), there.keyspace)
    if as_json:
        print_json([{"problem": problem, "fix": fix} for problem, fix in found])
    elif not found:
        show("nothing is missing: scope, collections and indexes exist")
    for problem, fix in found if not as_json else ():
        show(f"{problem}\n    {fix}")
    if found and not as_json:
        say()
        say("`zerog datastore init` fixes all of these, as a user with the necessary rights")
    return codes.FAILED if found else codes.OK


async def _copy(options: argparse.Namespace) -> int:
    if options.source == options.target:
        raise ConfigError("FROM and TO are the same datastore: name two")
    # Opening would make an empty file, and nothing would be copied from it.
    file = Path(options.source.removeprefix(SQLITE))
    if options.source.startswith(SQLITE) and not file.is_file():
        raise ConfigError(f"there is no file {file} to copy from")
    settings = load(CouchbaseSettings, environment())
    source = await open_datastore(options.source, settings, deadline_seconds=DEADLINE_SECONDS)
    try:
        target = await open_datastore(options.target, settings, deadline_seconds=DEADLINE_SECONDS)
        try:
            report = await _copy_visibly(source, target)
            counts = await compare(source, target)
        except DatastoreError as error:
            raise DatastoreError(
                f"the copy has stopped: {error}\n  run the same command again: it resumes where it "
                "was, and copies nothing twice"
            ) from error
        finally:
            await target.close()
    finally:
        await source.close()
    return _tell(report, counts, options.json)


async def _copy_visibly(source: Datastore, target: Datastore) -> CopyReport:
    total = await source.count_jobs(JobFilter())
    console = ShownConsole(stderr=True)
    if not console.is_terminal:
        done = 0

        def tell(count: int) -> None:
            nonlocal done
            before, done = done, done + count
            if before // _PLAIN_STEP != done // _PLAIN_STEP:
                say(f"{done:,} of {counted(total, 'job')}")

        return await copy_all(source, target, tell)
    columns = (TextColumn("jobs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("jobs", total=total)
        return await copy_all(source, target, lambda count: bar.update(task, advance=count))


def _tell(report: CopyReport, counts: list[StateCount], as_json: bool) -> int:
    # What has expired is not copied, and a target in use has jobs of its own.
    short = [count for count in counts if count.target < count.source]
    complete = sum(count.source - count.target for count in short) <= report.expired
    if as_json:
        print_json(
            {
                "jobs": report.jobs,
                "present": report.present,
                "expired": report.expired,
                "beside": report.beside,
                "problems": report.problems,
                "counts": {count.state: [count.source, count.target] for count in counts},
                "complete": complete and not report.problems,
            }
        )
    else:
        show(
            f"{counted(report.jobs, 'job')} copied, {report.present:,} already there, "
            f"{report.expired:,} expired; {counted(report.beside, 'other document')} copied"
        )
        rows = [(count.state, count.source, count.target) for count in counts]
        print_table(("STATE", "SOURCE", "TARGET"), rows, "")
        for problem in report.problems:
            say(f"not copied: {problem}")
        if not complete:
            say("the target has fewer jobs than the source: repeat the command")
    return codes.OK if complete and not report.problems else codes.FAILED
