"""What the parts cost by themselves: isolation, ways to start a child, durability of the store.

`python -m benchmarks.parts` prints a table. Medians of several rounds; the ratios count.
"""

import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.noop import Noop
from zerog.child.handle import ChildHandle, NurseryHandle
from zerog.child.protocol import EndFrame, RunFrame, run_name
from zerog.model.record import new_job_id
from zerog.store.sqlite.store import SqliteDatastore
from zerog.testing import run

ROUNDS = 5
JOBS = 2000
STARTS = 20
WRITES = 2000
#: About the size of a control document.
DOCUMENT: dict[str, Any] = {"state": "queued", "type": "Noop", "text": "x" * 600}


async def in_child(child: ChildHandle, number: int) -> None:
    """Run one job in the child, as a slot does."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    child.on_frame = lambda frame: ended.set_result(None) if isinstance(frame, EndFrame) else None
    uuid = new_job_id()
    child.send(RunFrame(run_name(uuid, 1), uuid, 1, "Noop", {"n": number}))
    await ended


async def isolation_microseconds(nursery: NurseryHandle) -> tuple[float, float]:
    """Return what a no-op job takes in this process, and in a child."""
    child = await nursery.fork()
    started = time.perf_counter()
    for number in range(JOBS):
        await in_child(child, number)
    isolated = time.perf_counter() - started
    child.discard(5)
    started = time.perf_counter()
    for number in range(JOBS):
        run(Noop(n=number))
    direct = time.perf_counter() - started
    return direct / JOBS * 1e6, isolated / JOBS * 1e6


async def fork_milliseconds(nursery: NurseryHandle) -> float:
    """Return the time until a child of the nursery has run its first job."""
    started = time.perf_counter()
    for number in range(STARTS):
        child = await nursery.fork()
        await in_child(child, number)
        child.discard(5)
    return (time.perf_counter() - started) / STARTS * 1000


def _first_job(number: int) -> None:
    run(Noop(n=number))


def start_milliseconds(method: str) -> float:
    """Return the time until a process of `multiprocessing` has run a job."""
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["benchmarks.noop", "zerog.testing"])
    started = time.perf_counter()
    for number in range(STARTS):
        process = context.Process(target=_first_job, args=(number,))
        process.start()
        process.join()
    return (time.perf_counter() - started) / STARTS * 1000


async def writes_per_second(tasks: int, *, durable: bool) -> float:
    """Return how many documents a second so many tasks insert."""
    with tempfile.TemporaryDirectory() as folder:
        store = await SqliteDatastore.open(Path(folder) / "bench.db", 5)

        async def write(count: int) -> None:
            for _ in range(count):
                await store.insert("jobs", new_job_id(), DOCUMENT, durable=durable)

        started = time.perf_counter()
        await asyncio.gather(*[write(WRITES // tasks) for _ in range(tasks)])
        seconds = time.perf_counter() - started
        await store.close()
    return WRITES / seconds


async def median(measure: Callable[[], Awaitable[float]]) -> float:
    """Measure several times, return the median."""
    return statistics.median([await measure() for _ in range(ROUNDS)])


async def measure_all() -> None:
    """Measure everything and print it."""
    nursery = await NurseryHandle.start([str(Path(__file__).with_name("noop.py"))])
    try:
        pairs = [await isolation_microseconds(nursery) for _ in range(ROUNDS)]
        direct, isolated = [statistics.median(values) for values in zip(*pairs, strict=True)]
        print(f"{'no-op job in the same process':<46}{direct:>10.0f} µs")
        print(f"{'no-op job in a child, over the pipe':<46}{isolated:>10.0f} µs")
        forked = await median(lambda: fork_milliseconds(nursery))
        print(f"{'start a child and run a job: nursery (fork)':<46}{forked:>10.1f} ms")
    finally:
        await nursery.close(5)
    for method in ("forkserver", "spawn"):
        took = statistics.median([start_milliseconds(method) for _ in range(ROUNDS)])
        print(f"{f'start a process and run a job: {method}':<46}{took:>10.1f} ms")
    for durable in (False, True):
        for tasks in (1, 32):
            rate = await median(lambda t=tasks, d=durable: writes_per_second(t, durable=d))
            level = "FULL" if durable else "NORMAL"
            print(f"{f'SQLite inserts, {level}, {tasks} at a time':<46}{rate:>10.0f} a second")


if __name__ == "__main__":
    uvloop.run(measure_all())
