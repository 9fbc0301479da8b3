"""What a patch does to a document, as one pure function: a table, and properties for any patch."""

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerog.model import jsontext
from zerog.model.documents import UNREADABLE, Remembered, read
from zerog.model.errors import (
    DatastoreError,
    DocumentTooLargeError,
    PathExistsError,
    PathMissingError,
    UnreadableDocumentError,
)
from zerog.model.limits import MAX_DOCUMENT_BYTES
from zerog.store.patching import apply_patch, as_stored, decode_document, encode_document
from zerog.store.port import (
    MAX_KEY_BYTES,
    MAX_PATCH_OPS,
    MAX_PATH_DEPTH,
    Document,
    PatchOp,
)

KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.one_of(st.integers(-9, 9), st.booleans(), st.none(), st.text(max_size=3))
DOCUMENTS = st.dictionaries(
    KEYS, st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, max_size=3)), max_size=3
)
PATHS = st.lists(KEYS, min_size=1, max_size=3).map(tuple)


@pytest.mark.parametrize(
    ("before", "op", "after"),
    [
        ({}, PatchOp("set", ("a",), 1), {"a": 1}),
        ({"a": 1}, PatchOp("set", ("a",), None), {"a": None}),
        ({}, PatchOp("set", ("a", "b"), 1), {"a": {"b": 1}}),
        ({"a": {"x": 0}}, PatchOp("set", ("a", "b"), 1), {"a": {"x": 0, "b": 1}}),
        ({"a": {"x": 0}}, PatchOp("set", ("a",), 1), {"a": 1}),
        ({}, PatchOp("add", ("a", "b"), 1), {"a": {"b": 1}}),
        ({}, PatchOp("incr", ("a",), 2), {"a": 2}),
        ({"a": 1}, PatchOp("incr", ("a",), -3), {"a": -2}),
        ({"a": 1.5}, PatchOp("incr", ("a",), 1), {"a": 2.5}),
        ({"a": 2**70}, PatchOp("incr", ("a",), 1), {"a": 2**70 + 1}),
        ({"a": None}, PatchOp("unset", ("a",)), {}),
        ({"a": {"b": 1}}, PatchOp("unset", ("a", "b")), {"a": {}}),
    ],
)
def test_one_operation_does_what_it_says(before: Document, op: PatchOp, after: Document) -> None:
    apply_patch(before, [op])

    assert before == after


@pytest.mark.parametrize(
    ("before", "op", "error"),
    [
        ({"a": None}, PatchOp("add", ("a",), 1), PathExistsError),
        ({"a": {"b": 0}}, PatchOp("add", ("a", "b"), 1), PathExistsError),
        ({}, PatchOp("unset", ("a",)), PathMissingError),
        ({}, PatchOp("unset", ("a", "b")), PathMissingError),
        ({"a": 1}, PatchOp("unset", ("a", "b")), PathMissingError),
        ({"a": [1]}, PatchOp("set", ("a", "0"), 1), DatastoreError),
        ({"a": "text"}, PatchOp("incr", ("a",), 1), DatastoreError),
        ({"a": None}, PatchOp("incr", ("a",), 1), DatastoreError),
    ],
)
def test_one_operation_refuses_what_does_not_fit(
    before: Document, op: PatchOp, error: type[DatastoreError]
) -> None:
    with pytest.raises(error) as caught:
        apply_patch(before, [op])

    assert not caught.value.transient
    assert ".".join(op.path[:1]) in str(caught.value)


@pytest.mark.parametrize("count", [0, MAX_PATCH_OPS + 1])
def test_a_patch_has_a_bounded_number_of_operations(count: int) -> None:
    with pytest.raises(DatastoreError, match=str(MAX_PATCH_OPS)):
        apply_patch({}, [PatchOp("set", (str(n),), n) for n in range(count)])


@pytest.mark.parametrize("depth", [0, MAX_PATH_DEPTH + 1])
def test_a_path_has_a_bounded_depth(depth: int) -> None:
    with pytest.raises(DatastoreError, match=str(MAX_PATH_DEPTH)):
        apply_patch({}, [PatchOp("set", ("k",) * depth, 1)])


def value_at(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def has(document: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return False
        document = document[key]
    return True


@given(DOCUMENTS, PATHS, VALUES)
def test_what_was_set_is_there_and_unset_removes_it_again(
    document: Document, path: tuple[str, ...], value: Any
) -> None:
    try:
        apply_patch(document, [PatchOp("set", path, value)])
    except DatastoreError:
        return  # the path leads through what is no object
    assert value_at(document, path) == value

    apply_patch(document, [PatchOp("unset", path)])
    assert not has(document, path)


@given(DOCUMENTS, PATHS, VALUES)
def test_add_is_set_where_nothing_is_and_an_error_elsewhere(
    document: Document, path: tuple[str, ...], value: Any
) -> None:
    was_there = has(document, path)
    other = copy.deepcopy(document)
    try:
        apply_patch(document, [PatchOp("add", path, value)])
    except PathExistsError:
        assert was_there
    except DatastoreError:
        assert not was_there
    else:
        assert not was_there
        apply_patch(other, [PatchOp("set", path, value)])
        assert document == other


@given(DOCUMENTS, st.lists(PATHS, min_size=1, max_size=5), st.integers(-9, 9))
def test_no_patch_raises_anything_but_our_errors(
    document: Document, paths: list[tuple[str, ...]], number: int
) -> None:
    for kind in ("set", "add", "incr", "unset"):
        with contextlib.suppress(DatastoreError):
            apply_patch(copy.deepcopy(document), [PatchOp(kind, path, number) for path in paths])


@pytest.mark.parametrize("key", ["", "k" * (MAX_KEY_BYTES + 1), "ä" * (MAX_KEY_BYTES // 2 + 1)])
def test_a_key_beyond_the_limit_is_refused_without_being_quoted_in_full(key: str) -> None:
    with pytest.raises(DatastoreError) as caught:
        encode_document(key, {})

    assert len(str(caught.value)) < MAX_KEY_BYTES


def test_the_limit_of_a_document_is_that_of_its_text() -> None:
    room = MAX_DOCUMENT_BYTES - len(b'{"t":""}')

    assert len(encode_document("key", {"t": "x" * room})) == MAX_DOCUMENT_BYTES
    with pytest.raises(DocumentTooLargeError):
        encode_document("key", {"t": "x" * (room + 1)})
    with pytest.raises(DocumentTooLargeError):
        encode_document("key", {"t": "ä" * (room // 2 + 1)})


def test_many_brackets_side_by_side_are_not_taken_for_depth() -> None:
    document: Document = {"list": [[] for _ in range(10_000)], "text": "[" * 10_000}

    assert jsontext.loads(encode_document("key", document)) == document


def test_what_is_nested_too_deeply_to_be_read_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(220):
        deep = [deep]

    with pytest.raises(DocumentTooLargeError, match="cannot be read"):
        encode_document("key", {"deep": deep})


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"5", b"\xff", b"[" * 5000, b"1" * 5000, b'{"a":NaN}']
)
def test_what_is_not_a_json_object_is_read_as_a_document_that_says_so(body: bytes) -> None:
    with pytest.raises(UnreadableDocumentError):
        decode_document(body)
    stored = as_stored(body, "7", "key")

    assert (list(stored.document), stored.revision, stored.key) == ([UNREADABLE], "7", "key")
    with pytest.raises(UnreadableDocumentError, match="it is not"):
        read(stored.document, Remembered)
