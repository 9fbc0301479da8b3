"""What every datastore does with a patch: parts of a document change, all of them or none."""

import asyncio

import pytest
from tests.integration.store.conftest import LetPass

from zerog.model.errors import (
    DatastoreError,
    DatastoreUnavailableError,
    DocumentNotFoundError,
    DocumentTooLargeError,
    PathExistsError,
    PathMissingError,
    RevisionConflictError,
)
from zerog.model.limits import MAX_DOCUMENT_BYTES
from zerog.store.port import (
    MAX_PATCH_OPS,
    MAX_PATH_DEPTH,
    Datastore,
    Document,
    JobFilter,
    PatchOp,
)


async def body(store: Datastore) -> Document | None:
    found = await store.get("events", "key")
    return None if found is None else found.document


async def test_set_writes_and_replaces(store: Datastore) -> None:
    await store.insert("events", "key", {"old": 1, "other": {"stays": True}})

    await store.patch(
        "events", "key", [PatchOp("set", ("old",), [2]), PatchOp("set", ("new",), None)]
    )

    assert await body(store) == {"old": [2], "new": None, "other": {"stays": True}}


async def test_missing_parents_are_made_by_set_add_and_incr(store: Datastore) -> None:
    await store.insert("events", "key", {})

    await store.patch(
        "events",
        "key",
        [
            PatchOp("set", ("a", "b", "c"), 1),
            PatchOp("add", ("d", "e"), 2),
            PatchOp("incr", ("f", "g"), 3),
        ],
    )

    assert await body(store) == {"a": {"b": {"c": 1}}, "d": {"e": 2}, "f": {"g": 3}}


async def test_add_refuses_a_path_that_is_there(store: Datastore) -> None:
    await store.insert("events", "key", {"e": {"17": None}})

    with pytest.raises(PathExistsError):
        await store.patch("events", "key", [PatchOp("add", ("e", "17"), "again")])

    assert await body(store) == {"e": {"17": None}}


async def test_incr_adds_and_counts_missing_as_zero(store: Datastore) -> None:
    await store.insert("events", "key", {"n": 40})

    await store.patch("events", "key", [PatchOp("incr", ("n",), 2), PatchOp("incr", ("m",), -1)])

    assert await body(store) == {"n": 42, "m": -1}


async def test_increments_at_the_same_time_are_all_counted(store: Datastore) -> None:
    await store.insert("events", "key", {"n": 0})

    await asyncio.gather(
        *(store.patch("events", "key", [PatchOp("incr", ("n",), 1)]) for _ in range(200))
    )

    assert await body(store) == {"n": 200}


async def test_unset_removes(store: Datastore) -> None:
    await store.insert("events", "key", {"a": {"b": 1, "c": 2}})

    await store.patch("events", "key", [PatchOp("unset", ("a", "b"))])

    assert await body(store) == {"a": {"c": 2}}


@pytest.mark.parametrize("path", [("x",), ("a", "x"), ("x", "y", "z")])
async def test_unset_refuses_a_path_that_is_not_there(
    store: Datastore, path: tuple[str, ...]
) -> None:
    await store.insert("events", "key", {"a": {"b": 1}})

    with pytest.raises(PathMissingError):
        await store.patch("events", "key", [PatchOp("unset", path)])

    assert await body(store) == {"a": {"b": 1}}


async def test_the_operations_are_done_in_order(store: Datastore) -> None:
    await store.insert("events", "key", {"a": 1})

    await store.patch(
        "events",
        "key",
        [PatchOp("unset", ("a",)), PatchOp("add", ("a",), 5), PatchOp("incr", ("a",), 1)],
    )

    assert await body(store) == {"a": 6}


async def test_of_a_patch_that_fails_nothing_is_done(store: Datastore) -> None:
    revision = await store.insert("events", "key", {"a": 1})

    with pytest.raises(PathExistsError):
        await store.patch(
            "events",
            "key",
            [
                PatchOp("set", ("b", "c"), 2),
                PatchOp("unset", ("a",)),
                PatchOp("add", ("b", "c"), 3),
            ],
        )

    stored = await store.get("events", "key")
    assert stored is not None
    assert (stored.document, stored.revision) == ({"a": 1}, revision)


async def test_a_key_with_dots_and_digits_is_one_key(store: Datastore) -> None:
    await store.insert("events", "key", {})

    await store.patch(
        "events", "key", [PatchOp("set", ("a.b[0]", "17", "$`'\""), 1), PatchOp("set", ("",), 2)]
    )

    assert await body(store) == {"a.b[0]": {"17": {"$`'\"": 1}}, "": 2}


@pytest.mark.parametrize("kind", ["set", "add", "incr", "unset"])
@pytest.mark.parametrize("parent", ["text", 1, None, [1, 2]])
async def test_a_path_through_what_is_no_object_is_refused(
    store: Datastore, kind: str, parent: object
) -> None:
    await store.insert("events", "key", {"a": parent})

    with pytest.raises(DatastoreError) as caught:
        await store.patch("events", "key", [PatchOp(kind, ("a", "0"), 1)])  # type: ignore[arg-type]

    assert not caught.value.transient
    assert await body(store) == {"a": parent}


@pytest.mark.parametrize("there", ["text", None, [1], {}])
async def test_what_is_no_number_cannot_be_added_to(store: Datastore, there: object) -> None:
    await store.insert("events", "key", {"a": there})

    with pytest.raises(DatastoreError) as caught:
        await store.patch("events", "key", [PatchOp("incr", ("a",), 1)])

    assert not caught.value.transient
    assert await body(store) == {"a": there}


async def test_a_value_that_is_no_json_is_refused_for_good(store: Datastore) -> None:
    await store.insert("events", "key", {"a": 1})

    for value in (float("nan"), object()):
        with pytest.raises((ValueError, DatastoreError)) as caught:
            await store.patch("events", "key", [PatchOp("set", ("a",), value)])
        assert not isinstance(caught.value, DatastoreUnavailableError)

    assert await body(store) == {"a": 1}


async def test_a_patched_value_does_not_follow_what_the_caller_does_to_his(
    store: Datastore,
) -> None:
    await store.insert("events", "key", {})
    mine = [1]

    await store.patch("events", "key", [PatchOp("set", ("a",), mine)])
    mine.append(2)

    assert await body(store) == {"a": [1]}


async def test_a_patch_gives_a_new_revision(store: Datastore) -> None:
    first = await store.insert("events", "key", {})

    second = await store.patch("events", "key", [PatchOp("set", ("a",), 1)])

    stored = await store.get("events", "key")
    assert stored is not None
    assert first != second == stored.revision


async def test_without_a_revision_the_last_writer_wins(store: Datastore) -> None:
    await store.insert("events", "key", {})

    await store.patch("events", "key", [PatchOp("set", ("a",), "first")])
    await store.patch("events", "key", [PatchOp("set", ("a",), "second")])

    assert await body(store) == {"a": "second"}


async def test_with_the_revision_a_patch_is_done(store: Datastore) -> None:
    revision = await store.insert("events", "key", {})

    await store.patch("events", "key", [PatchOp("set", ("a",), 1)], revision=revision)

    assert await body(store) == {"a": 1}


@pytest.mark.parametrize("revision", ["stale", "", "no number"])
async def test_with_another_revision_a_patch_is_refused(store: Datastore, revision: str) -> None:
    first = await store.insert("events", "key", {"n": 1})
    await store.replace("events", "key", {"n": 2}, first)
    named = first if revision == "stale" else revision

    with pytest.raises(RevisionConflictError):
        await store.patch("events", "key", [PatchOp("set", ("n",), 3)], revision=named)

    assert await body(store) == {"n": 2}


async def test_a_missing_document_is_not_made_unasked(store: Datastore) -> None:
    with pytest.raises(DocumentNotFoundError):
        await store.patch("events", "key", [PatchOp("set", ("a",), 1)])

    assert await store.get("events", "key") is None


async def test_with_create_a_missing_document_is_made_first(store: Datastore) -> None:
    ops = [PatchOp("set", ("e", "1"), "line")]

    await store.patch("events", "key", ops, create=True)
    await store.patch("events", "key", [PatchOp("set", ("e", "2"), "line")], create=True)

    assert await body(store) == {"e": {"1": "line", "2": "line"}}


async def test_with_create_a_patch_that_fails_makes_no_document(store: Datastore) -> None:
    with pytest.raises(PathMissingError):
        await store.patch("events", "key", [PatchOp("unset", ("a",))], create=True)

    assert await store.get("events", "key") is None


async def test_an_expiry_is_kept(store: Datastore, let_pass: LetPass) -> None:
    await store.insert("events", "key", {}, expire_seconds=60.0)
    await store.patch("events", "key", [PatchOp("set", ("a",), 1)])
    assert await body(store) == {"a": 1}

    await let_pass(65.0)

    assert await body(store) is None


async def test_what_has_expired_is_patched_as_missing(store: Datastore, let_pass: LetPass) -> None:
    await store.insert("events", "key", {"old": True}, expire_seconds=60.0)
    await let_pass(65.0)

    with pytest.raises(DocumentNotFoundError):
        await store.patch("events", "key", [PatchOp("set", ("a",), 1)])
    await store.patch("events", "key", [PatchOp("set", ("a",), 1)], create=True)

    assert await body(store) == {"a": 1}


async def test_a_patched_control_document_is_listed_by_its_new_state(store: Datastore) -> None:
    await store.insert("jobs", "key", {"state": "queued", "type": "T", "queue": "q"})

    await store.patch("jobs", "key", [PatchOp("set", ("state",), "running")])

    assert await store.count_jobs(JobFilter(states=["queued"])) == 0
    assert await store.count_jobs(JobFilter(states=["running"])) == 1


async def test_as_many_operations_and_as_deep_as_allowed_are_done(store: Datastore) -> None:
    deep = tuple(f"k{n}" for n in range(MAX_PATH_DEPTH))
    ops = [PatchOp("set", (*deep[:-1], str(n)), n) for n in range(MAX_PATCH_OPS)]

    await store.patch("events", "key", ops, create=True)

    inner = await body(store)
    for key in deep[:-1]:
        assert inner is not None
        inner = inner[key]
    assert inner == {str(n): n for n in range(MAX_PATCH_OPS)}


@pytest.mark.parametrize(
    "ops",
    [
        [],
        [PatchOp("set", (str(n),), n) for n in range(MAX_PATCH_OPS + 1)],
        [PatchOp("set", (), {})],
        [PatchOp("set", ("k",) * (MAX_PATH_DEPTH + 1), 1)],
    ],
    ids=["none", "too many", "the root", "too deep"],
)
async def test_a_patch_beyond_the_limits_is_refused(store: Datastore, ops: list[PatchOp]) -> None:
    await store.insert("events", "key", {"a": 1})

    with pytest.raises(DatastoreError) as caught:
        await store.patch("events", "key", ops)

    assert not caught.value.transient
    assert await body(store) == {"a": 1}


async def test_a_patch_does_not_grow_a_document_beyond_the_limit(store: Datastore) -> None:
    half = "x" * (MAX_DOCUMENT_BYTES // 2)
    await store.insert("events", "key", {"a": half})

    with pytest.raises(DocumentTooLargeError):
        await store.patch("events", "key", [PatchOp("set", ("b",), half)])

    assert await body(store) == {"a": half}
