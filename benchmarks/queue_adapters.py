"""How many entries a second each queue adapter puts, from one process: 1 task and 32."""

import asyncio
import time

import uvloop

from zerog.queue.beanstalk.connection import BeanstalkConnection
from zerog.queue.beanstalk.server import LocalBeanstalkd
from zerog.queue.greenstalk import GreenstalkConnection

PUTS = 8000
BODY = "0" * 36


async def measure(kind: type[BeanstalkConnection | GreenstalkConnection], port: int) -> list[float]:
    """Return puts a second with 1 and with 32 tasks on one connection."""
    connection = await kind.connect("127.0.0.1", port)
    rates = []
    for tasks in (1, 32):

        async def put(count: int) -> None:
            for _ in range(count):
                await connection.put("bench", BODY)

        started = time.perf_counter()
        await asyncio.gather(*[put(PUTS // tasks) for _ in range(tasks)])
        rates.append(PUTS / (time.perf_counter() - started))
    await connection.close()
    return rates


def main() -> None:
    """Measure both and print a table."""
    server = LocalBeanstalkd()
    server.start()
    try:
        print(f"{'adapter':<24}{'1 task':>12}{'32 tasks':>12}   puts/s")
        for kind in (GreenstalkConnection, BeanstalkConnection):
            one, many = uvloop.run(measure(kind, server.port))
            print(f"{kind.__name__:<24}{one:>12.0f}{many:>12.0f}")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
