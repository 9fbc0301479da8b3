"""Which datastore a URL names."""

import pytest

from zerog.datastore import open_datastore
from zerog.datastore.memory import MemoryDatastore
from zerog.errors import ConfigError


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "postgres://host/db",
        "store.db",
        "memory",
        "SQLITE",
    ],
)
async def test_a_url_that_names_no_datastore_is_refused_with_the_forms(url: str) -> None:
    with pytest.raises(ConfigError, match="sqlite:///relative/path or sqlite:////absolute/path"):
        await open_datastore(url)


async def test_each_memory_store_is_one_of_its_own() -> None:
    one, other = await open_datastore("memory:"), await open_datastore("memory:")
    assert isinstance(one, MemoryDatastore)

    await one.insert("jobs", "key", {})

    assert await other.get("jobs", "key") is None
