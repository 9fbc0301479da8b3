"""A process of its own that uses a datastore, for the tests of several processes on one file.

Run as `python store_process.py MODE FILE [ARGUMENT ...]`; it speaks to the test in lines.
"""

import asyncio
import itertools
import sqlite3
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from zerog.store import open_datastore
from zerog.store.port import PatchOp

CONCURRENCY = 8


async def write(file: str, name: str, count: str) -> None:
    """Insert documents and count them in a document that all processes share."""
    store = await open_datastore(f"sqlite:///{file}", deadline_seconds=30.0)

    async def one(number: int) -> None:
        await store.insert("jobs", f"{name}-{number}", {"state": name}, durable=number % 10 == 0)
        await store.patch("blobs", "counter", [PatchOp("incr", ("n",), 1)], create=True)

    for start in range(0, int(count), CONCURRENCY):
        await asyncio.gather(*(one(n) for n in range(start, min(start + CONCURRENCY, int(count)))))
    await store.close()
    print("done", flush=True)


async def acknowledge(file: str, *_: str) -> None:
    """Insert for ever; write a line with the key once a document was acknowledged."""
    store = await open_datastore(f"sqlite:///{file}")

    async def forever(task: int) -> None:
        for number in itertools.count():
            key = f"{task}-{number}"
            await store.insert("jobs", key, {"state": "s" * 500, "n": number}, durable=task == 0)
            print(key, flush=True)

    await asyncio.gather(*(forever(task) for task in range(CONCURRENCY)))


async def start(file: str, name: str) -> None:
    """At each word of the test: open a file, at the same time as others, and write to it."""
    print("waiting", flush=True)
    for word in sys.stdin:
        store = await open_datastore(f"sqlite:///{file}{word.strip()}")
        await store.insert("jobs", name, {})
        await store.close()
        print("done", flush=True)


async def hold(file: str, *_: str) -> None:
    """Hold the file's write lock until the test says a word."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
    sys.stdin.readline()
    connection.execute("ROLLBACK")
    connection.close()
    print("released", flush=True)


MODES: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "write": write,
    "acknowledge": acknowledge,
    "start": start,
    "hold": hold,
}

if __name__ == "__main__":
    asyncio.run(MODES[sys.argv[1]](*sys.argv[2:]))
