"""The documents of job types, as workers register them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.store.memory import MemoryDatastore

from zerog.ledger.types import read_all, register
from zerog.model import jsontext
from zerog.model.documents import SCHEMA_HASH_DIGITS, TypeDocument, schema_hash, write

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


async def test_the_last_of_several_workers_says_what_is_accepted() -> None:
    store = MemoryDatastore()
    for schema, template in (({"minProperties": 1}, "old"), (SCHEMA, "new")):
        await register(store, [TypeDocument("Send", "mail", schema)], NOW, template_hash=template)

    found, _ = (await read_all(store))["Send"]

    assert found.schema == SCHEMA
    assert (found.schema_hash, found.template_hash) == (schema_hash(SCHEMA), "new")


async def test_a_document_of_before_the_hashes_is_read() -> None:
    store = MemoryDatastore()
    await store.upsert("types", "Send", {"name": "Send", "queue": "mail", "schema": {}})

    found, _ = (await read_all(store))["Send"]

    assert not found.schema_hash
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
