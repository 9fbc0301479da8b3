"""Registered types whose schemas this API can use, and one that it cannot."""

from typing import Any

import pytest

from zerog.datastore.memory import MemoryDatastore
from zerog_api.types import Types

GOOD = {"type": "object", "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    "document",
    [
        {"name": "Odd", "schema": {"properties": {"n": {"type": "string", "pattern": "(?<"}}}},
        {"name": "Odd", "schema": {"type": "no such type"}},
        {"name": "Odd", "schema": 5},
        {"name": "Odd"},
    ],
)
async def test_a_schema_that_cannot_be_used_spoils_no_other_type(document: dict[str, Any]) -> None:
    store = MemoryDatastore()
    await store.upsert("types", "Odd", document)
    await store.upsert("types", "Good", {"name": "Good", "schema": GOOD})
    types = Types(store)

    assert (await types.get("Odd")).faults({"n": "x"}) == []
    (fault,) = (await types.get("Good")).faults({"n": "x"})
    assert fault.path == "$.n"
