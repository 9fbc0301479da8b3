"""Commands about ZeroG itself: types, queues, workers, describe, repair, completion."""

import argparse
import asyncio
import contextlib
import dataclasses
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from zerog import logs
from zerog.cli import codes
from zerog.cli.output import Column, print_json, print_table
from zerog.cli.target import connect, find
from zerog.cli.words import counted, held_text, say, show, show_lines
from zerog.devnote import FOLDER, read_note, store_of
from zerog.model.documents import TypeDocument, write
from zerog.model.errors import ConfigError
from zerog.settings import PlaceSettings, WorkerSettings, environment, load


def command_types(options: argparse.Namespace) -> int:
    """List the registered job types."""
    with connect(options) as client:
        types = client.types()
    none = "No worker has registered a job type yet: start `zerog worker`."
    return _print_types(types, options.json, _none(options, "job type", none))


def _none(options: argparse.Namespace, what: str, none: str) -> str:
    """Say that a list is empty: of a token, the API shows only what it may list."""
    target = find(options)
    return (
        f"No {what} found that this token may list." if target.token or target.token_file else none
    )


def command_describe(options: argparse.Namespace) -> int:
    """Show the job types of modules; write them into the store if asked."""
    settings = load(
        WorkerSettings, environment(), jobs=tuple(options.jobs) or None, store=options.store
    )
    if not settings.jobs:
        raise ConfigError("no jobs: name a module, e.g. `zerog describe acme.jobs`")
    with _printing_to_standard_error():  # ours is for the types
        documents = asyncio.run(_import_types(settings))
    if options.register:
        asyncio.run(_register(settings, documents))
    return _print_types([write(document) for document in documents], options.json, "No job types.")


@contextlib.contextmanager
def _printing_to_standard_error() -> Iterator[None]:
    """Let programs that are started meanwhile print there."""
    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(ours, 1)
        os.close(ours)


async def _import_types(settings: WorkerSettings) -> list[TypeDocument]:
    """Import the modules where a worker does: they get nothing of this process."""
    from zerog.child.handle import NurseryHandle
    from zerog.store import secret_paths

    children = logging.getLogger("zerog.child")
    level = children.level
    children.setLevel(logging.CRITICAL)  # what it logs is in the error
    try:
        nursery = await NurseryHandle.start(
            settings.jobs, owns_children=True, secrets=secret_paths(settings)
        )
        try:
            if nursery.failures:
                raise ConfigError("; ".join(nursery.failures.values()))
            return nursery.types
        finally:
            await nursery.close(settings.kill_grace_seconds)
    finally:
        children.setLevel(level)


async def _register(settings: WorkerSettings, documents: list[TypeDocument]) -> None:
    from zerog.ledger.types import register
    from zerog.store import open_datastore

    store = await open_datastore(settings.store, settings)
    try:
        await register(
            store,
            documents,
            datetime.now(UTC),
            template_hash=settings.template_hash,
            introduce=True,
        )
    finally:
        await store.close()


def _print_types(documents: Any, as_json: bool, none: str) -> int:
    if as_json:
        print_json(documents)
        return codes.OK
    rows = []
    for document in documents:
        schema = document["schema"]
        required = schema.get("required", [])
        names = [name if name in required else f"[{name}]" for name in schema.get("properties", {})]
        summary = document.get("description", "").partition("\n")[0]
        rows.append((document["name"], document["queue"], " ".join(names), summary))
    columns = (
        Column("TYPE", least=16), Column("QUEUE", least=8), Column("PARAMETERS", least=16),
        Column("DESCRIPTION", least=16, optional=True),
    )  # fmt: skip
    print_table(columns, rows, none)
    return codes.OK


def command_queues(options: argparse.Namespace) -> int:
    """Show the queues."""
    with connect(options) as client:
        queues = client.queues()
    if options.json:
        print_json(queues)
        return codes.OK
    _tell_held("queue", {queue["name"]: queue.get("paused") for queue in queues})
    names = ("name", "ready", "reserved", "delayed", "buried", "arrivalPerMinute",
             "departurePerMinute", "waitingSeconds")  # fmt: skip
    columns = (
        Column("QUEUE", least=12), "READY", "RUNNING", "DELAYED", Column("BURIED", optional=True),
        Column("IN/MIN", optional=True), Column("OUT/MIN", optional=True), "WAIT (s)", "PAUSED",
        Column("NO WORKER FOR", least=13),
    )  # fmt: skip
    rows = [
        [
            *(queue[name] for name in names),
            "paused" if queue.get("paused") else None,
            ", ".join(queue["unservedTypes"] or ()) or None,
        ]
        for queue in queues
    ]
    print_table(columns, rows, _none(options, "queue", "No queues yet."))
    return codes.OK


def command_workers(options: argparse.Namespace) -> int:
    """Show the workers."""
    with connect(options) as client:
        workers = client.workers()
    if options.json:
        print_json(workers)
        return codes.OK
    _tell_held("worker", {worker["name"]: worker.get("drain") for worker in workers})
    rows = [
        (
            worker["name"],
            worker["state"],
            f"{len(worker['running'])}/{worker['slots']}",
            ", ".join(worker["queues"]),
            ", ".join(f"{job['type']} {job['uuid']}" for job in worker["running"]) or "idle",
        )
        for worker in workers
    ]
    columns = (
        Column("WORKER", least=16), "STATE", "BUSY", Column("QUEUES", least=8),
        Column("RUNS", least=16),
    )  # fmt: skip
    none = "No worker is alive: start `zerog worker MODULE`."
    print_table(columns, rows, _none(options, "worker", none))
    return codes.OK


def _tell_held(kind: str, held: Mapping[str, dict[str, Any] | None]) -> None:
    """Say what people hold, and how to let it go."""
    command = "resume" if kind == "queue" else "undrain"
    for name, control in held.items():
        if control:
            say(f"{held_text(kind, name, control)}\n  zerog {command} {name}")


def command_repair(options: argparse.Namespace) -> int:
    """Compare datastore and queue once, and put back what has no queue entry."""
    logs.configure(options.log_format)
    settings = _places(options)
    report = asyncio.run(_repair(settings))
    if options.json:
        print_json(report)
    else:
        show(f"{counted(report['checked'], 'unfinished job')} checked")
        for name in ("expired", "requeued", "kicked", "dropped", "unknown", "failed"):
            for item in report[name]:
                show(f"{name}: {item}")
    return codes.OK


def _places(options: argparse.Namespace) -> PlaceSettings:
    """Return datastore and queue: those that are named, or those of this folder's `zerog dev`."""
    given = environment()
    named = options.store or options.queue or {"ZEROG_STORE", "ZEROG_QUEUE"} & given.keys()
    note = None if named else read_note()
    if note is None:
        return load(PlaceSettings, given, store=options.store, queue=options.queue)
    say(f"using the `zerog dev` of this folder: queue {note.queue}")
    return load(PlaceSettings, given, store=store_of(FOLDER), queue=note.queue)


async def _repair(settings: PlaceSettings) -> dict[str, Any]:
    from zerog.ledger.jobs import Jobs
    from zerog.ledger.overdue import end_overdue
    from zerog.ledger.repair import repair_once
    from zerog.ledger.stats import Stats
    from zerog.queue import connect_queue
    from zerog.store import open_datastore

    store = await open_datastore(settings.store, settings)
    try:
        queue = await connect_queue(settings.queue)
        try:
            jobs = Jobs(store, Stats(store))
            expired = await end_overdue(jobs, queue)
            report = await repair_once(jobs, queue)
            await jobs.wakes.flush(queue)
            return {**dataclasses.asdict(report), "expired": expired}
        finally:
            await queue.close()
    finally:
        await store.close()


def command_completion(options: argparse.Namespace) -> int:
    """Print the code that completes commands in a shell."""
    from argcomplete.shell_integration import shellcode

    show_lines(shellcode(["zerog"], shell=options.shell))
    return codes.OK
