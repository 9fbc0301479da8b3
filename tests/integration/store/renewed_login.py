"""A process that writes with a login that changes in its file, once for each word of the test.

The SDK's native threads use a login while it is replaced, and one has crashed there. That shall
fail the test that shows it, and not end the process of all other tests.

Run as `python -m tests.integration.store.renewed_login URL SECONDS`, by `LoginWriter`.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.store.opening import open_datastore

from zerog.model.errors import DatastoreError
from zerog.store.couchbase import connection

ROOT = Path(__file__).parents[3]
WORKS = "it works"
_DEADLINE_SECONDS = 200.0


class LoginWriter:
    """The process, for the test."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def write(self) -> str:
        """Let it write a document; return `WORKS` or the error."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"write\n")
        return await self.line()

    async def line(self) -> str:
        """Return what it says next."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), _DEADLINE_SECONDS)
        assert line, f"the process ended: {await self._process.wait()}"
        return line.decode().strip()

    async def end(self) -> int:
        """Let it close its datastore, and return how it ended."""
        await self._process.communicate(b"")
        return await self._process.wait()


@asynccontextmanager
async def writer(url: str, deadline_seconds: float) -> AsyncIterator[LoginWriter]:
    """Start it with this process's environment; in the end it must end well."""
    command = ["-m", "tests.integration.store.renewed_login", url, str(deadline_seconds)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, stdin=PIPE, stdout=PIPE
    )
    try:
        made = LoginWriter(process)
        assert await made.line() == "open"
        yield made
        assert await made.end() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def main(url: str, deadline_seconds: float) -> None:
    """Write at each word, until there are no more."""
    connection.ROTATE_SECONDS = 0.05
    store = await open_datastore(url, deadline_seconds=deadline_seconds)
    print("open", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        try:
            await store.upsert("types", "key", {})
            print(WORKS, flush=True)
        except DatastoreError as error:
            print(error, flush=True)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
