"""Both clients behind one way of calling them, and a REST API that answers from a script."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.scripted_api import Answer, FakeApi

from zerog.client import AsyncClient, Client


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls a method of a client, blocking or not, and collects what it gives."""

    kind: type[Client] | type[AsyncClient]
    url: str

    def __call__(
        self,
        method: str,
        *args: Any,
        retry_seconds: float = 5.0,
        token: str | None = None,
        **options: Any,
    ) -> Any:
        """Return what the method returns; the items if it gives several."""
        if self.kind is Client:
            with Client(self.url, retry_seconds=retry_seconds, token=token) as client:
                found = getattr(client, method)(*args, **options)
                return list(found) if isinstance(found, Iterator) else found
        return asyncio.run(self._call(method, args, options, retry_seconds, token))

    async def _call(
        self,
        method: str,
        args: tuple[Any, ...],
        options: dict[str, Any],
        retry_seconds: float,
        token: str | None,
    ) -> Any:
        async with AsyncClient(self.url, retry_seconds=retry_seconds, token=token) as client:
            found = getattr(client, method)(*args, **options)
            if hasattr(found, "__aiter__"):
                return [item async for item in found]
            return await found


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """Give a scripted API."""
    fake = FakeApi()
    yield fake
    fake.close()


@pytest.fixture(params=[Client, AsyncClient], ids=["blocking", "async"])
def call(request: pytest.FixtureRequest, api: FakeApi) -> Caller:
    """Give both clients, one after the other."""
    return Caller(request.param, api.url)


@pytest.fixture
def answer() -> type[Answer]:
    """Give the class of scripted answers."""
    return Answer
