"""An API that cannot start leaves nothing open."""

import errno
from typing import Any

import pytest

from zerog.model.errors import ConfigError
from zerog_api import main
from zerog_api.settings import ApiSettings


class Part:
    """A datastore, producer or gate that only notes that it is closed."""

    has_version = True

    def __init__(self, name: str, closed: list[str]) -> None:
        self.name, self.closed = name, closed

    async def close(self) -> None:
        self.closed.append(self.name)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parts that were closed, in order."""
    closed: list[str] = []

    async def store(*_: Any, **__: Any) -> Part:
        return Part("store", closed)

    async def producer(address: str) -> Part:
        if address == "nowhere":
            raise ConfigError("no address of a queue")
        return Part("producer", closed)

    monkeypatch.setattr(main, "open_gate", lambda settings: Part("gate", closed))
    monkeypatch.setattr(main, "open_datastore", store)
    monkeypatch.setattr(main, "connect_producer", producer)
    return closed


async def test_a_port_that_is_taken_closes_everything(
    closed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def bind_sockets(*_: Any, **__: Any) -> None:
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(main, "bind_sockets", bind_sockets)

    with pytest.raises(ConfigError, match="is it in use"):
        await main.serve(ApiSettings())

    assert closed == ["producer", "store", "gate"]


async def test_a_queue_that_cannot_be_used_closes_what_was_open(closed: list[str]) -> None:
    with pytest.raises(ConfigError, match="no address"):
        await main.serve(ApiSettings(queue="nowhere"))

    assert closed == ["store", "gate"]
