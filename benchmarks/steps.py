"""What each step of a job's way costs in processor time, each by itself on the same no-op job.

`python -m benchmarks.steps` prints a table in microseconds. Steps of the datastore and the queue
are measured with 16 jobs at a time, as under load, and with one. Processor time is that of the
whole process, so what its threads do counts, and what other processes do does not.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uvloop
from tests.beanstalkd import Beanstalkd

from benchmarks.noop import Noop
from zerog.child.protocol import (
    EndFrame,
    FrameReader,
    FromChild,
    ReceivedByChild,
    RunFrame,
    encode,
    run_name,
)
from zerog.ledger.codec import read_record, write_record
from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.model import events, jsontext, life
from zerog.model.documents import TypeDocument
from zerog.model.record import JobRecord, WorkerIdentity, new_job_id
from zerog.queue import connect_queue
from zerog.store.patching import decode_document, encode_document
from zerog.store.sqlite.store import SqliteDatastore
from zerog.testing import run
from zerog_api.core.checks import ParameterCheck

ROUNDS, TIMES = 15, 160
TOGETHER = 16
TYPE = TypeDocument(name="Noop", queue="default", schema=Noop.model_json_schema())
WORKER = WorkerIdentity("worker-of-this-benchmark-1", pod=None)


def new_record() -> JobRecord:
    """Return a job as it is accepted."""
    return life.accept(uuid=new_job_id(), job_type=TYPE, parameters={"n": 7}, now=datetime.now(UTC))


def show(step: str, microseconds: list[float]) -> None:
    """Print what a step takes, by how many of it are done together."""
    print(f"{step:<58}" + "".join(f"{each:>10.1f}" for each in microseconds), flush=True)


def time_calls(step: str, call: Callable[[], object]) -> None:
    """Measure a function."""
    taken = []
    for _ in range(ROUNDS):
        before = time.process_time()
        for _ in range(TIMES):
            call()
        taken.append((time.process_time() - before) / TIMES * 1e6)
    show(step, [min(taken)])


async def time_lives(
    claim: Callable[[range], Awaitable[object]], end: Callable[[range], Awaitable[object]]
) -> None:
    """Measure claims and ends, each of some jobs at a time, and of one. What is claimed ends before
    the next, as a worker does it. They get the numbers of their jobs."""
    least: list[list[float]] = []
    number = 0
    for together in (TOGETHER, 1):
        taken: list[list[float]] = [[], []]
        for _ in range(ROUNDS):
            spent = [0.0, 0.0]
            for _ in range(TIMES // together):
                for step, work in enumerate((claim, end)):
                    before = time.process_time()
                    await work(range(number, number + together))
                    spent[step] += time.process_time() - before
                number += together
            for step, seconds in enumerate(spent):
                taken[step].append(seconds / TIMES * 1e6)
        least.append([min(each) for each in taken])
    show("claim, with its note", [each[0] for each in least])
    show("end, durable", [each[1] for each in least])


async def time_tasks(step: str, work: Callable[[int], Awaitable[object]]) -> None:
    """Measure a coroutine: some at a time, and one at a time. It gets the number of its call."""
    medians = []
    number = 0
    for together in (TOGETHER, 1):
        taken = []
        for _ in range(ROUNDS):
            before = time.process_time()
            for _ in range(TIMES // TOGETHER * TOGETHER // together):
                await asyncio.gather(*[work(number + n) for n in range(together)])
                number += together
            taken.append((time.process_time() - before) / (TIMES // TOGETHER * TOGETHER) * 1e6)
        medians.append(min(taken))
    show(step, medians)


def measure_calls() -> None:
    """Measure the steps that only compute."""
    now = datetime.now(UTC)
    record = new_record()
    claim = events.Claimed(WORKER, 17, "default")
    claimed = life.step(record, claim, now).record
    end = events.Returned(1, 200, msgspec.Raw(b'{"n":7}'))
    document = write_record(claimed)
    text = encode_document(record.uuid, document)
    check = ParameterCheck(TYPE.schema)
    name = run_name(record.uuid, 1)
    to_child = encode(RunFrame(name, record.uuid, 1, "Noop", {"n": 7}))
    from_child = encode(EndFrame(name, end))
    to_reader: FrameReader[ReceivedByChild] = FrameReader(ReceivedByChild)
    from_reader: FrameReader[FromChild] = FrameReader(FromChild)
    time_calls("parse a body", lambda: jsontext.loads_embeddable(b'{"n": 7}'))
    time_calls("validate by the schema", lambda: check.first_error({"n": 7}))
    time_calls("make a record", new_record)
    time_calls("record → document", lambda: write_record(claimed))
    time_calls("document → text", lambda: encode_document(record.uuid, document))
    time_calls("text → document", lambda: decode_document(text))
    time_calls("document → record", lambda: read_record(document, record.uuid))
    time_calls("life: claim", lambda: life.step(record, claim, now))
    time_calls("life: end", lambda: life.step(claimed, end, now))
    time_calls("pipe: encode a run", lambda: encode(RunFrame(name, record.uuid, 1, "Noop", {})))
    time_calls("pipe: decode a run", lambda: list(to_reader.feed(to_child)))
    time_calls("pipe: encode an end", lambda: encode(EndFrame(name, end)))
    time_calls("pipe: decode an end", lambda: list(from_reader.feed(from_child)))
    time_calls("run, in this process", lambda: run(Noop(n=7)))


async def measure_store(folder: Path) -> None:
    """Measure the steps of the datastore."""
    store = await SqliteDatastore.open(folder / "steps.db", 5.0)
    jobs = Jobs(store, Stats(store, worker=WORKER.name))
    made = [new_record() for _ in range(2 * ROUNDS * TIMES)]
    claim = events.Claimed(WORKER, 17, "default")
    kept = {}

    async def insert(number: int) -> None:
        kept[number] = await jobs.insert(made[number])

    async def apply(numbers: range, event: events.Event) -> None:
        asked = [jobs.apply(made[n].uuid, event, kept[n], bare=True) for n in numbers]
        for number, applied in zip(numbers, await asyncio.gather(*asked), strict=True):
            kept[number] = applied.kept

    async def apply_claims(numbers: range) -> None:
        await jobs.stats.note_claims([made[n].uuid for n in numbers], jobs.now())
        await apply(numbers, claim)

    async def apply_ends(numbers: range) -> None:
        await apply(numbers, events.Returned(1, 200, {"n": 7}))

    await time_tasks("an empty write", lambda _: store.ready())
    await time_tasks("insert, durable", insert)
    await time_tasks("read", lambda number: jobs.read(made[number].uuid))
    await time_lives(apply_claims, apply_ends)
    await store.close()


async def measure_queue() -> None:
    """Measure the steps of the queue."""
    server = Beanstalkd()
    server.start()
    try:
        queue = await connect_queue(server.address)
        found: list[int] = []

        async def reserve(_: int) -> None:
            found.extend([entry.id for entry in await queue.reserve_ready(1)])

        body = new_job_id()
        await time_tasks("put", lambda number: queue.put("default", body))
        await time_tasks("reserve", reserve)
        await time_tasks("delete", lambda number: queue.delete(found[number]))
        await queue.close()
    finally:
        server.stop()


async def measure_all() -> None:
    """Measure everything and print it."""
    print(f"{'processor time, µs':<58}{f'{TOGETHER} at a time':>10}{'one':>10}")
    measure_calls()
    await measure_queue()
    with tempfile.TemporaryDirectory() as folder:
        await measure_store(Path(folder))


if __name__ == "__main__":
    uvloop.run(measure_all())
