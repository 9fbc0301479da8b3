"""Entries that each queue adapter puts a second, and the processor time of one, from one process.

It says why the API and the worker use the pipelined connection and everything else greenstalk.
"""

import asyncio
import time

import uvloop
from tests.beanstalkd import Beanstalkd

from zerog.queue.beanstalk.connection import BeanstalkConnection
from zerog.queue.greenstalk import GreenstalkConnection

PUTS = 8000
TASKS = (1, 32)
BODY = "0" * 36


async def measure(
    kind: type[BeanstalkConnection | GreenstalkConnection], port: int, tasks: int
) -> tuple[float, float]:
    """Return puts a second and microseconds of processor time a put, on one connection."""
    connection = await kind.connect("127.0.0.1", port)

    async def put(count: int) -> None:
        for _ in range(count):
            await connection.put("bench", BODY)

    started, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*[put(PUTS // tasks) for _ in range(tasks)])
    seconds, busy = time.perf_counter() - started, time.process_time() - used
    await connection.close()
    return PUTS / seconds, 1e6 * busy / PUTS


def main() -> None:
    """Measure both and print a table."""
    server = Beanstalkd()
    server.start()
    try:
        print(f"{'adapter':<24}{'tasks':>8}{'puts/s':>10}{'µs/put':>10}")
        for kind in (GreenstalkConnection, BeanstalkConnection):
            for tasks in TASKS:
                rate, busy = uvloop.run(measure(kind, server.port, tasks))
                print(f"{kind.__name__:<24}{tasks:>8}{rate:>10.0f}{busy:>10.0f}")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
