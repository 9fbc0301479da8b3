"""What every datastore does with whole documents: `zerog.store.port`, sentence by sentence.

The same cases run over each store, and time passes as the test wants.
"""

import asyncio
import contextlib

import pytest
from tests.integration.store.conftest import LetPass

from zerog.model import jsontext
from zerog.model.errors import (
    DatastoreError,
    DocumentExistsError,
    DocumentNotFoundError,
    DocumentTooLargeError,
    RevisionConflictError,
)
from zerog.model.limits import MAX_DOCUMENT_BYTES
from zerog.store.port import (
    COLLECTIONS,
    MAX_KEY_BYTES,
    Collection,
    Datastore,
    Document,
    JobFilter,
    PatchOp,
)

#: An expiry that no test meets but by letting time pass, and a time by which it is over.
SOON_SECONDS, AFTER_SECONDS = 60.0, 65.0
LATER_SECONDS = 3600.0


async def body(store: Datastore, collection: Collection, key: str) -> Document | None:
    found = await store.get(collection, key)
    return None if found is None else found.document


async def expire(store: Datastore, let_pass: LetPass, collection: Collection, key: str) -> None:
    """Let the time pass after which a document that is there has expired."""
    assert await store.get(collection, key) is not None
    await let_pass(AFTER_SECONDS)
    assert await store.get(collection, key) is None


async def test_what_was_inserted_is_read(store: Datastore) -> None:
    document: Document = {
        "text": "ä\u0000\U0001f600",
        "list": [1, 2.5, None, True, {"deep": []}],
        "": {},
    }

    revision = await store.insert("jobs", "key", document)

    stored = await store.get("jobs", "key")
    assert stored is not None
    assert stored.document == document
    assert stored.revision == revision


async def test_an_integer_of_any_size_is_kept_exactly(store: Datastore) -> None:
    await store.insert("blobs", "key", {"n": 2**200 + 1, "m": -(2**63)})

    assert await body(store, "blobs", "key") == {"n": 2**200 + 1, "m": -(2**63)}


async def test_a_durable_insert_is_read_as_well(store: Datastore) -> None:
    revision = await store.insert("jobs", "key", {"a": 1}, durable=True)

    stored = await store.get("jobs", "key")
    assert stored is not None
    assert stored.revision == revision


async def test_a_revision_is_a_string(store: Datastore) -> None:
    assert isinstance(await store.insert("jobs", "key", {}), str)


async def test_a_taken_key_is_refused_and_keeps_its_document(store: Datastore) -> None:
    revision = await store.insert("jobs", "key", {"a": 1})

    with pytest.raises(DocumentExistsError):
        await store.insert("jobs", "key", {"a": 2})

    stored = await store.get("jobs", "key")
    assert stored is not None
    assert (stored.document, stored.revision) == ({"a": 1}, revision)


async def test_a_key_means_another_document_in_each_collection(store: Datastore) -> None:
    for collection in COLLECTIONS:
        await store.insert(collection, "key", {"in": collection})

    found = {collection: await body(store, collection, "key") for collection in COLLECTIONS}

    assert found == {collection: {"in": collection} for collection in COLLECTIONS}


async def test_a_document_that_is_not_there_reads_as_none(store: Datastore) -> None:
    assert await store.get("jobs", "nobody") is None


async def test_a_stored_document_does_not_follow_what_the_caller_does_to_his(
    store: Datastore,
) -> None:
    mine: Document = {"list": [1]}
    await store.insert("jobs", "key", mine)
    mine["list"].append(2)
    read = await store.get("jobs", "key")
    assert read is not None
    read.document["list"].append(3)

    assert await body(store, "jobs", "key") == {"list": [1]}


async def test_an_expired_document_reads_as_none_everywhere(
    store: Datastore, let_pass: LetPass
) -> None:
    await store.insert("types", "gone", {"state": "x"}, expire_seconds=SOON_SECONDS)
    await store.insert("types", "kept", {}, expire_seconds=LATER_SECONDS)

    await expire(store, let_pass, "types", "gone")

    assert set(await store.get_many("types", ["gone", "kept"])) == {"kept"}
    assert set(await store.scan("types")) == {"kept"}
    assert await store.remove("types", "gone") is False
    assert await store.expire("types", "gone", LATER_SECONDS) is False


async def test_the_key_of_an_expired_document_is_free(store: Datastore, let_pass: LetPass) -> None:
    first = await store.insert("idempotency", "key", {"n": 1}, expire_seconds=SOON_SECONDS)
    await expire(store, let_pass, "idempotency", "key")

    second = await store.insert("idempotency", "key", {"n": 2})

    assert second != first
    assert await body(store, "idempotency", "key") == {"n": 2}


async def test_get_many_leaves_out_the_missing(store: Datastore) -> None:
    revisions = {key: await store.insert("blobs", key, {"k": key}) for key in ("a", "b", "c")}

    found = await store.get_many("blobs", ["a", "nobody", "c", "a"])

    assert {key: stored.document for key, stored in found.items()} == {
        "a": {"k": "a"},
        "c": {"k": "c"},
    }
    assert found["a"].revision == revisions["a"]


async def test_get_many_of_nothing_is_nothing(store: Datastore) -> None:
    assert await store.get_many("blobs", []) == {}


async def test_get_many_reads_more_keys_than_one_statement_takes(store: Datastore) -> None:
    keys = [f"key {number}" for number in range(1200)]
    await asyncio.gather(*(store.insert("blobs", key, {"k": key}) for key in keys))

    found = await store.get_many("blobs", keys)

    assert {key: stored.document["k"] for key, stored in found.items()} == {k: k for k in keys}


async def test_replace_gives_a_new_revision_and_the_new_document(store: Datastore) -> None:
    first = await store.insert("jobs", "key", {"a": 1})

    second = await store.replace("jobs", "key", {"b": 2}, first, durable=True)

    stored = await store.get("jobs", "key")
    assert stored is not None
    assert second != first
    assert (stored.document, stored.revision) == ({"b": 2}, second)


async def test_a_stale_revision_is_refused(store: Datastore) -> None:
    first = await store.insert("jobs", "key", {"n": 1})
    await store.replace("jobs", "key", {"n": 2}, first)

    with pytest.raises(RevisionConflictError):
        await store.replace("jobs", "key", {"n": 3}, first)

    assert await body(store, "jobs", "key") == {"n": 2}


@pytest.mark.parametrize("revision", ["", "0", "-1", "no number", "9" * 40])
async def test_a_revision_that_never_was_is_refused_like_a_stale_one(
    store: Datastore, revision: str
) -> None:
    await store.insert("jobs", "key", {"n": 1})

    with pytest.raises(RevisionConflictError):
        await store.replace("jobs", "key", {"n": 2}, revision)
    with pytest.raises(RevisionConflictError):
        await store.remove("jobs", "key", revision=revision)

    assert await body(store, "jobs", "key") == {"n": 1}


async def test_of_many_who_replace_one_revision_exactly_one_wins(store: Datastore) -> None:
    revision = await store.insert("jobs", "key", {"winner": None})

    outcomes = await asyncio.gather(
        *(store.replace("jobs", "key", {"winner": n}, revision) for n in range(50)),
        return_exceptions=True,
    )

    winners = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, str)]
    losers = [outcome for outcome in outcomes if isinstance(outcome, RevisionConflictError)]
    assert (len(winners), len(losers)) == (1, 49)
    assert await body(store, "jobs", "key") == {"winner": winners[0]}


async def test_replacing_what_is_not_there_says_so(store: Datastore) -> None:
    revision = await store.insert("jobs", "key", {})
    await store.remove("jobs", "key")

    with pytest.raises(DocumentNotFoundError):
        await store.replace("jobs", "key", {}, revision)


async def test_replacing_what_has_expired_says_that_it_is_gone(
    store: Datastore, let_pass: LetPass
) -> None:
    revision = await store.insert("jobs", "key", {}, expire_seconds=SOON_SECONDS)
    await expire(store, let_pass, "jobs", "key")

    with pytest.raises(DocumentNotFoundError):
        await store.replace("jobs", "key", {}, revision)


async def test_replacing_clears_an_expiry(store: Datastore, let_pass: LetPass) -> None:
    revision = await store.insert("jobs", "key", {}, expire_seconds=SOON_SECONDS)
    await store.replace("jobs", "key", {"kept": True}, revision)

    await let_pass(AFTER_SECONDS)

    assert await body(store, "jobs", "key") == {"kept": True}


async def test_replacing_may_set_a_new_expiry(store: Datastore, let_pass: LetPass) -> None:
    revision = await store.insert("jobs", "key", {})

    await store.replace("jobs", "key", {}, revision, expire_seconds=SOON_SECONDS)

    await expire(store, let_pass, "jobs", "key")


async def test_a_revision_is_not_used_again_after_a_removal(store: Datastore) -> None:
    first = await store.insert("jobs", "key", {"life": 1})
    await store.remove("jobs", "key")
    await store.insert("jobs", "key", {"life": 2})

    with pytest.raises(RevisionConflictError):
        await store.replace("jobs", "key", {"life": 3}, first)


async def test_upsert_writes_whatever_was_there(store: Datastore) -> None:
    first = await store.upsert("progress", "key", {"n": 1})
    second = await store.upsert("progress", "key", {"n": 2})

    stored = await store.get("progress", "key")
    assert stored is not None
    assert first != second
    assert (stored.document, stored.revision) == ({"n": 2}, second)


async def test_an_upsert_expires_and_the_next_one_prolongs(
    store: Datastore, let_pass: LetPass
) -> None:
    await store.upsert("workers", "beats", {}, expire_seconds=SOON_SECONDS)
    await store.upsert("workers", "silent", {}, expire_seconds=SOON_SECONDS)
    await store.upsert("workers", "beats", {}, expire_seconds=LATER_SECONDS)

    await expire(store, let_pass, "workers", "silent")

    assert set(await store.scan("workers")) == {"beats"}


async def test_remove_says_whether_it_was_there(store: Datastore) -> None:
    await store.insert("jobs", "key", {})

    assert await store.remove("jobs", "key") is True
    assert await store.remove("jobs", "key") is False
    assert await store.get("jobs", "key") is None


async def test_remove_with_the_revision_removes(store: Datastore) -> None:
    revision = await store.insert("jobs", "key", {})

    assert await store.remove("jobs", "key", revision=revision) is True
    assert await store.get("jobs", "key") is None


async def test_remove_with_a_stale_revision_is_refused(store: Datastore) -> None:
    first = await store.insert("jobs", "key", {"n": 1})
    await store.replace("jobs", "key", {"n": 2}, first)

    with pytest.raises(RevisionConflictError):
        await store.remove("jobs", "key", revision=first)

    assert await body(store, "jobs", "key") == {"n": 2}


async def test_expire_lets_a_document_vanish(store: Datastore, let_pass: LetPass) -> None:
    await store.insert("jobs", "key", {})

    assert await store.expire("jobs", "key", SOON_SECONDS) is True

    await expire(store, let_pass, "jobs", "key")


async def test_expire_prolongs_as_well(store: Datastore, let_pass: LetPass) -> None:
    await store.insert("jobs", "key", {"a": 1}, expire_seconds=SOON_SECONDS)

    assert await store.expire("jobs", "key", LATER_SECONDS) is True

    await let_pass(AFTER_SECONDS)
    assert await body(store, "jobs", "key") == {"a": 1}


async def test_expire_of_what_is_not_there_is_false(store: Datastore) -> None:
    assert await store.expire("jobs", "nobody", SOON_SECONDS) is False


async def test_scan_reads_one_collection_and_no_other(store: Datastore) -> None:
    revision = await store.insert("types", "a", {"n": 1})
    await store.insert("types", "b", {"n": 2})
    await store.insert("blobs", "c", {"n": 3})

    found = await store.scan("types")

    assert {key: stored.document for key, stored in found.items()} == {"a": {"n": 1}, "b": {"n": 2}}
    assert found["a"].revision == revision
    assert await store.scan("workers") == {}


@pytest.mark.parametrize("key", ["k" * MAX_KEY_BYTES, "ä" * (MAX_KEY_BYTES // 2), "a b/c::%_'\""])
async def test_a_key_within_the_limit_is_taken(store: Datastore, key: str) -> None:
    await store.insert("blobs", key, {"there": True})

    assert await body(store, "blobs", key) == {"there": True}


@pytest.mark.parametrize("key", ["", "k" * (MAX_KEY_BYTES + 1), "ä" * (MAX_KEY_BYTES // 2 + 1)])
async def test_a_key_beyond_the_limit_is_refused(store: Datastore, key: str) -> None:
    with pytest.raises(DatastoreError):
        await store.insert("types", key, {})
    with pytest.raises(DatastoreError):
        await store.upsert("types", key, {})

    assert await store.scan("types") == {}


async def test_a_document_beyond_the_limit_is_refused(store: Datastore) -> None:
    revision = await store.insert("blobs", "small", {"a": 1})
    huge = {"text": "x" * MAX_DOCUMENT_BYTES}

    with pytest.raises(DocumentTooLargeError):
        await store.insert("blobs", "key", huge)
    with pytest.raises(DocumentTooLargeError):
        await store.replace("blobs", "small", huge, revision)
    with pytest.raises(DocumentTooLargeError):
        await store.upsert("blobs", "small", huge)

    assert await store.get("blobs", "key") is None
    assert await body(store, "blobs", "small") == {"a": 1}


async def test_a_document_just_within_the_limit_is_taken(store: Datastore) -> None:
    text = "x" * (MAX_DOCUMENT_BYTES - len(b'{"text":""}'))

    await store.insert("blobs", "key", {"text": text})

    assert await body(store, "blobs", "key") == {"text": text}


async def test_a_document_that_is_no_json_is_refused(store: Datastore) -> None:
    for value in (float("nan"), float("inf"), object(), "\ud800"):
        with pytest.raises((ValueError, DatastoreError)):
            await store.insert("blobs", "key", {"value": value})

    assert await store.get("blobs", "key") is None


@pytest.mark.parametrize("depth", [100, 199, 200, 201, 202, 230])
async def test_a_document_that_could_not_be_read_again_is_refused(
    store: Datastore, depth: int
) -> None:
    deep: list[object] = []
    for _ in range(depth):
        deep = [deep]
    await store.insert("jobs", "neighbour", {"n": 1})

    with contextlib.suppress(DocumentTooLargeError):
        await store.insert("jobs", "deep", {"parameters": deep})
    with contextlib.suppress(DocumentTooLargeError, DocumentNotFoundError):
        await store.patch("jobs", "neighbour", [PatchOp("set", ("parameters",), deep)])

    stored = await store.get("jobs", "deep")
    assert (stored is not None) == (depth <= 199)
    assert len((await store.list_jobs(JobFilter())).jobs) == (2 if stored else 1)


async def test_a_document_is_read_as_the_text_that_it_is(store: Datastore) -> None:
    document = {"n": 2**70, "text": "ü", "list": [1.0, None]}
    await store.insert("blobs", "a", document)

    text = await store.get_text("blobs", "a")

    assert text is not None
    assert jsontext.loads(text) == document
    assert await store.get_text("blobs", "b") is None


@pytest.mark.parametrize("key", ["none", "a" * 201, ""])
async def test_the_size_of_a_document_is_known_without_its_text(store: Datastore, key: str) -> None:
    await store.insert("blobs", "a", {"text": "ü" * 100_000})

    text = await store.get_text("blobs", "a")

    assert text is not None
    assert await store.size("blobs", "a") == len(text) > 200_000
    assert await store.size("blobs", key) == 0
