"""The documents of job types, as workers register them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.store.memory import MemoryDatastore

from zerog.ledger.types import KEEP_FOR, MAX_VERSIONS, read_all, register
from zerog.model import jsontext
from zerog.model.documents import TypeDocument, WorkerDocument, write
from zerog.model.errors import DatastoreUnavailableError
from zerog.model.record import new_job_id
from zerog.model.schemas import SCHEMA_HASH_DIGITS, schema_hash
from zerog.store.port import Collection, Stored

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "größe": {"minimum": 1}}}

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=8,
)


async def registered(schema: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Register a type and return the document that was stored."""
    store = MemoryDatastore()
    await register(store, [TypeDocument("Send", "mail", schema)], NOW, **options)
    stored = await store.get("types", "Send")
    assert stored is not None
    return stored.document


def reversed_keys(value: Any) -> Any:
    """Return the same value with the keys of its objects in another order."""
    if isinstance(value, dict):
        return {key: reversed_keys(item) for key, item in reversed(value.items())}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


async def test_a_type_is_registered_with_the_hash_of_its_schema() -> None:
    document = await registered(SCHEMA)

    assert document["schemaHash"] == schema_hash(SCHEMA)


async def test_the_hash_of_the_template_is_registered_where_there_is_one() -> None:
    assert (await registered({}, template_hash="0123456789"))["templateHash"] == "0123456789"
    assert "templateHash" not in await registered({})
    assert "templateHash" not in await registered({}, template_hash="")


class Fleet:
    """Workers that register versions of the type Send, at times of the test's choice."""

    def __init__(self) -> None:
        self.store = MemoryDatastore()
        self.now = NOW

    async def register(
        self, schema: dict[str, Any], template: str = "", *, introduce: bool = False, **more: Any
    ) -> None:
        job_type = TypeDocument("Send", "mail", schema, **more)
        self.now += timedelta(minutes=1)
        await register(
            self.store, [job_type], self.now, template_hash=template, introduce=introduce
        )

    async def work(self, name: str, schema: dict[str, Any]) -> None:
        takes = {"Send": schema_hash(schema)}
        worker = WorkerDocument(
            name, ["mail"], ["Send"], 1, [], "running", NOW, NOW, 1, takes=takes
        )
        await self.store.upsert("workers", name, write(worker))

    async def submit(self, schema: dict[str, Any]) -> None:
        version = schema_hash(schema)
        document = {"type": "Send", "state": "queued", "queue": "mail", "schemaHash": version}
        await self.store.upsert("jobs", new_job_id(), document)

    async def stored(self) -> TypeDocument:
        found, _ = (await read_all(self.store))["Send"]
        return found

    async def schemas(self) -> list[dict[str, Any]]:
        """Return the schemas of the versions, the last introduced first."""
        return [version.schema for version in (await self.stored()).versions]


OLD: dict[str, Any] = {"minProperties": 1}


async def test_a_new_version_is_introduced_and_keeps_the_others() -> None:
    fleet = Fleet()

    await fleet.register(OLD, "old")
    await fleet.register(SCHEMA, "new")

    assert await fleet.schemas() == [SCHEMA, OLD]
    assert [each.template_hash for each in (await fleet.stored()).versions] == ["new", "old"]


async def test_an_old_container_that_restarts_changes_nothing() -> None:
    fleet = Fleet()
    await fleet.register(OLD, "old")
    await fleet.register(SCHEMA, "new")
    before = await fleet.stored()

    await fleet.register(OLD, "old")

    assert await fleet.stored() == before


async def test_the_template_that_is_rolled_back_to_introduces_its_version_again() -> None:
    fleet = Fleet()
    await fleet.register(OLD, "old")
    await fleet.register(SCHEMA, "new", introduce=True)

    await fleet.register(OLD, "old", introduce=True)

    assert await fleet.schemas() == [OLD, SCHEMA]
    assert (await fleet.stored()).introduced_time == fleet.now


async def test_what_only_people_read_makes_no_version() -> None:
    fleet = Fleet()
    await fleet.register(SCHEMA)

    await fleet.register({**SCHEMA, "title": "Send", "description": "Sends."})

    assert len(await fleet.schemas()) == 1
    assert (await fleet.stored()).schema["title"] == "Send"


async def test_options_of_a_version_are_those_of_the_template_that_introduced_it() -> None:
    fleet = Fleet()
    await fleet.register(SCHEMA, "old", priority=1, introduce=True)
    await fleet.register(SCHEMA, "new", priority=2, introduce=True)

    await fleet.register(SCHEMA, "old", priority=1)
    assert (await fleet.stored()).priority == 2

    await fleet.register(SCHEMA, "new", priority=3)
    assert (await fleet.stored()).priority == 3


async def test_where_there_are_no_templates_the_last_worker_sets_the_options() -> None:
    fleet = Fleet()
    for priority in (1, 2):
        await fleet.register(SCHEMA, priority=priority)

    assert (await fleet.stored()).priority == 2


async def test_an_old_version_that_nobody_needs_is_dropped_after_a_while() -> None:
    fleet = Fleet()
    await fleet.register(OLD)
    await fleet.register(SCHEMA)

    fleet.now += KEEP_FOR - timedelta(minutes=5)
    await fleet.register(SCHEMA)
    assert len(await fleet.schemas()) == 2
    fleet.now += timedelta(minutes=5)
    await fleet.register(SCHEMA)

    assert await fleet.schemas() == [SCHEMA]


async def test_an_old_version_stays_while_a_worker_has_it_or_a_waiting_job_carries_it() -> None:
    fleet = Fleet()
    served, carried = {"minProperties": 2}, {"minProperties": 3}
    for schema in (OLD, served, carried, SCHEMA):
        await fleet.register(schema)
    await fleet.work("a", served)
    await fleet.submit(carried)

    fleet.now += KEEP_FOR
    await fleet.register(SCHEMA)

    assert await fleet.schemas() == [SCHEMA, carried, served]


async def test_the_number_of_versions_is_bounded() -> None:
    fleet = Fleet()

    for number in range(MAX_VERSIONS + 3):
        await fleet.register({"minProperties": number})

    found = await fleet.schemas()
    assert [schema["minProperties"] for schema in found] == list(range(3, MAX_VERSIONS + 3))[::-1]


async def test_of_too_many_versions_those_that_nobody_needs_are_dropped_first() -> None:
    fleet = Fleet()
    served, carried = {"minProperties": 1}, {"minProperties": 0}
    for number in range(MAX_VERSIONS):
        await fleet.register({"minProperties": number})
    await fleet.work("a", served)
    await fleet.submit(carried)

    for number in (100, 101):
        await fleet.register({"minProperties": number})

    found = await fleet.schemas()
    assert [schema["minProperties"] for schema in found] == [101, 100, 7, 6, 5, 4, 1, 0]


async def test_of_too_many_versions_that_are_all_needed_the_first_introduced_one_is_dropped() -> (
    None
):
    fleet = Fleet()
    for number in range(MAX_VERSIONS + 1):
        await fleet.work(f"w{number}", {"minProperties": number})
        await fleet.register({"minProperties": number})

    found = await fleet.schemas()
    assert [schema["minProperties"] for schema in found] == list(range(1, MAX_VERSIONS + 1))[::-1]


async def test_a_version_is_registered_although_which_ones_are_needed_cannot_be_read() -> None:
    fleet = Fleet()
    for number in range(MAX_VERSIONS):
        await fleet.register({"minProperties": number})
    scan = fleet.store.scan

    async def away(collection: Collection, **more: Any) -> dict[str, Stored]:
        if collection == "workers":
            raise DatastoreUnavailableError
        return await scan(collection, **more)

    fleet.store.scan = away  # type: ignore[method-assign]
    await fleet.register(SCHEMA)

    newest, *_, oldest = await fleet.schemas()
    assert (newest, oldest) == (SCHEMA, {"minProperties": 1})


async def test_workers_that_register_at_the_same_time_lose_no_version() -> None:
    fleet = Fleet()
    schemas: list[dict[str, Any]] = [{"minProperties": number} for number in range(MAX_VERSIONS)]

    await asyncio.gather(*[fleet.register(schema) for schema in schemas])

    assert len(await fleet.schemas()) == MAX_VERSIONS


async def test_a_document_of_before_the_hashes_is_read() -> None:
    store = MemoryDatastore()
    await store.upsert("types", "Send", {"name": "Send", "queue": "mail", "schema": {}})

    found, _ = (await read_all(store))["Send"]

    assert found.schema_hash == schema_hash({})
    assert not found.template_hash


def test_a_schema_s_hash_is_what_it_always_was() -> None:
    # Those that are stored are compared with it.
    assert schema_hash({}) == "44136fa355b3678a"
    assert schema_hash(SCHEMA) == "7b457e8fc86a6648"


@given(st.dictionaries(st.text("abc"), values))
def test_the_order_of_keys_does_not_change_a_schema_s_hash(schema: dict[str, Any]) -> None:
    found = schema_hash(schema)

    assert schema_hash(reversed_keys(schema)) == found
    assert len(found) == SCHEMA_HASH_DIGITS
    assert schema_hash({**schema, "another": 1}) != found


@pytest.mark.parametrize(
    "odd",
    [
        {"name": "another"},
        {"queue": "zerog.EVIL;$(x)"},
        {"backoffSeconds": 5e9},
        {"maxErrors": 2**64},
        {"retainOkSeconds": -1},
        {"timeoutSeconds": "nan"},
    ],
)
async def test_a_type_that_cannot_be_used_hides_no_other(odd: dict[str, Any]) -> None:
    store = MemoryDatastore()
    for name in ("bad", "good"):
        await store.upsert("types", name, write(TypeDocument(name, "q", {})))
    await store.upsert("types", "bad", {**write(TypeDocument("bad", "q", {})), **odd})

    assert list(await read_all(store)) == ["good"]


async def test_a_type_with_a_number_that_no_json_has_hides_no_other() -> None:
    store = MemoryDatastore()
    await store.upsert("types", "good", write(TypeDocument("good", "q", {})))
    text = jsontext.dumps(write(TypeDocument("bad", "q", {"maximum": 5})))
    store.damage("types", "bad", text.replace(b'"maximum":5', b'"maximum":1e999'))

    assert list(await read_all(store)) == ["good"]
