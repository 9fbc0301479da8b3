"""Registered types whose schemas this API can use, and one that it cannot."""

from typing import Any

import pytest
from tests.api.answering import answering_with
from tests.api.authority import GOOD as GOOD_TOKEN
from tests.api.authority import Scripted, gate_of
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore

from zerog_api.auth.gate import Gate
from zerog_api.core.errors import UnknownTypeError
from zerog_api.core.types import Types

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

    assert (await types.get("Odd")).faults({"n": "x"}) == []
    (fault,) = (await types.get("Good")).faults({"n": "x"})
    assert fault.path == "$.n"


@pytest.mark.parametrize(
    "document", [{"name": "Odd"}, {"name": "Odd", "queue": "mail", "schema": 5}, {}]
)
async def test_a_type_that_cannot_be_read_spoils_no_other_type(document: dict[str, Any]) -> None:
    store = MemoryDatastore()
    await store.upsert("types", "Odd", document)
    await store.upsert("types", "Good", {"name": "Good", "queue": "mail", "schema": GOOD})
    types = Types(store)

    with pytest.raises(UnknownTypeError):
        await types.get("Odd")
    assert [item.name for item in await types.documents()] == ["Good"]


async def test_only_types_that_the_caller_may_see_are_offered() -> None:
    store = MemoryDatastore()
    for name, queue in (("Letter", "mail"), ("Latter", "secret"), ("Ladder", "secret")):
        await store.upsert("types", name, {"name": name, "queue": queue, "schema": GOOD})

    async def ask(gate: Gate | None) -> str:
        async with answering_with(store, MemoryQueue(), gate) as (client, _):
            headers = {"Authorization": f"Bearer {GOOD_TOKEN}"}
            answer = await client.post("/v1/jobs/Lettr", json={}, headers=headers)
        assert answer.status_code == 404
        return str(answer.json()["detail"])

    assert "did you mean Letter?" in await ask(gate_of(Scripted()))
    assert "Latter" not in await ask(gate_of(Scripted()))
    assert "Latter" in await ask(None)


async def test_of_many_faults_only_the_first_is_looked_for() -> None:
    store = MemoryDatastore()
    schema = {"type": "object", "properties": {"n": {"type": "array", "items": {"type": "null"}}}}
    await store.upsert("types", "List", {"name": "List", "queue": "mail", "schema": schema})
    found = await Types(store).get("List")

    assert [item.path for item in found.faults({"n": [1, 2]}, "$")] == ["$.n[0]", "$.n[1]"]
    assert [item.path for item in found.faults({"n": [1, 2]}, "$", only_first=True)] == ["$.n[0]"]
    assert found.faults({"n": [None]}, only_first=True) == []
