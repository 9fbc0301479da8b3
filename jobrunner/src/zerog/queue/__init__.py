"""The queue: entries that hold a job's UUID, on beanstalkd's tubes. See `zerog.queue.port`.

There are three ways to connect. The API, whose calls share one connection that must heal, uses
`connect_producer`; a worker's slots use `connect_queue`, and so does repair, which looks at very
many entries; every other program uses `connect_greenstalk`.
"""

from zerog.model.errors import ConfigError
from zerog.queue.port import Producer, QueueConnection

DEFAULT_PORT = 11300


def parse_address(address: str) -> tuple[str, int]:
    """Split `host:port` or `beanstalk://host:port`. `ConfigError` says which forms there are."""
    host, _, port = address.removeprefix("beanstalk://").rpartition(":")
    if not host and port and not port.isdecimal():
        return port, DEFAULT_PORT
    if not host or not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65536:
        raise ConfigError(
            f"{address!r} is not a queue address: write host:port, e.g. 127.0.0.1:11300"
        )
    return host.strip("[]"), int(port)


async def connect_producer(address: str) -> Producer:
    """Return a pipelined producer. It connects when it is first used, and again when needed."""
    from zerog.queue.beanstalk.producer import BeanstalkProducer

    return BeanstalkProducer(*parse_address(address))


async def connect_queue(address: str) -> QueueConnection:
    """Make a pipelined connection, or raise `QueueUnavailableError`."""
    from zerog.queue.beanstalk.connection import BeanstalkConnection

    return await BeanstalkConnection.connect(*parse_address(address))


async def connect_greenstalk(address: str) -> QueueConnection:
    """Make a connection by greenstalk, or raise `QueueUnavailableError`."""
    from zerog.queue.greenstalk import GreenstalkConnection

    return await GreenstalkConnection.connect(*parse_address(address))
