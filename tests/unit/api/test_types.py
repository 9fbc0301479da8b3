"""Registered types whose schemas this API can use, and one that it cannot."""

from typing import Any

import pytest
from tests.store.memory import MemoryDatastore

from zerog_api.auth.access import OPEN, CheckedAccess, Verb
from zerog_api.problems import Problem
from zerog_api.types import Types

GOOD = {"type": "object", "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"n": {"type": "string", "pattern": "(?<"}}},
        {"type": "no such type"},
    ],
)
async def test_a_schema_that_cannot_be_used_spoils_no_other_type(schema: dict[str, Any]) -> None:
    store = MemoryDatastore()
    await store.upsert("types", "Odd", {"name": "Odd", "queue": "mail", "schema": schema})
    await store.upsert("types", "Good", {"name": "Good", "queue": "mail", "schema": GOOD})
    types = Types(store)

    assert (await types.get("Odd", OPEN)).faults({"n": "x"}) == []
    (fault,) = (await types.get("Good", OPEN)).faults({"n": "x"})
    assert fault.path == "$.n"


@pytest.mark.parametrize(
    "document", [{"name": "Odd"}, {"name": "Odd", "queue": "mail", "schema": 5}, {}]
)
async def test_a_type_that_cannot_be_read_spoils_no_other_type(document: dict[str, Any]) -> None:
    store = MemoryDatastore()
    await store.upsert("types", "Odd", document)
    await store.upsert("types", "Good", {"name": "Good", "queue": "mail", "schema": GOOD})
    types = Types(store)

    with pytest.raises(Problem) as refused:
        await types.get("Odd", OPEN)

    assert refused.value.code == "unknown-type"
    assert [item["name"] for item in await types.all()] == ["Good"]


async def test_only_types_that_the_caller_may_see_are_offered() -> None:
    async def may(queue: str | None) -> bool:
        return queue == "mail"

    async def valid() -> bool:
        return True

    store = MemoryDatastore()
    for name, queue in (("Letter", "mail"), ("Latter", "secret"), ("Ladder", "secret")):
        await store.upsert("types", name, {"name": name, "queue": queue, "schema": GOOD})
    types = Types(store)
    access = CheckedAccess("shop", Verb.CREATE, may, valid)

    with pytest.raises(Problem) as refused:
        await types.get("Lettr", access)
    with pytest.raises(Problem) as open_to_all:
        await types.get("Lettr", OPEN)

    assert "did you mean Letter?" in refused.value.detail
    assert "Latter" not in refused.value.detail
    assert "Latter" in open_to_all.value.detail


async def test_of_many_faults_only_the_first_is_looked_for() -> None:
    store = MemoryDatastore()
    schema = {"type": "object", "properties": {"n": {"type": "array", "items": {"type": "null"}}}}
    await store.upsert("types", "List", {"name": "List", "queue": "mail", "schema": schema})
    found = await Types(store).get("List", OPEN)

    assert [item.path for item in found.faults({"n": [1, 2]}, "$")] == ["$.n[0]", "$.n[1]"]
    assert [item.path for item in found.faults({"n": [1, 2]}, "$", only_first=True)] == ["$.n[0]"]
    assert found.faults({"n": [None]}, only_first=True) == []
