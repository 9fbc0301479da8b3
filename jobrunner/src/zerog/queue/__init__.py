"""The queue: entries that hold a job's UUID, on beanstalkd's tubes. See `zerog.queue.port`."""

from zerog.model.errors import ConfigError
from zerog.queue.port import Producer, QueueConnection

DEFAULT_PORT = 11300


def parse_address(address: str) -> tuple[str, int]:
    """Split `host:port` or `beanstalk://host:port`. `ConfigError` says which forms there are."""
    host, _, port = address.removeprefix("beanstalk://").rpartition(":")
    if not host and port and not port.isdecimal():
        return port, DEFAULT_PORT
    if not host or not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65536:
        raise ConfigError(f"{address!r} is no queue address: write host:port, e.g. 127.0.0.1:11300")
    return host.strip("[]"), int(port)


async def connect_producer(address: str) -> Producer:
    """Return a producer for the beanstalkd at an address. It connects when it is first used."""
    from zerog.queue.beanstalk.producer import BeanstalkProducer

    return BeanstalkProducer(*parse_address(address))


async def connect_queue(address: str) -> QueueConnection:
    """Connect to the beanstalkd at an address, or raise `QueueUnavailableError`."""
    from zerog.queue.beanstalk.connection import BeanstalkConnection

    return await BeanstalkConnection.connect(*parse_address(address))
