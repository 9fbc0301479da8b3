"""A datastore of each kind, new for every test: what the contract suite runs over."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from zerog.datastore import open_datastore
from zerog.datastore.base import Datastore

STORES = ("memory", "sqlite")


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Datastore]:
    url = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/store.db"}[request.param]
    opened = await open_datastore(url)
    yield opened
    await opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the SQLite-only tests keep their file."""
    return tmp_path / "store.db"
