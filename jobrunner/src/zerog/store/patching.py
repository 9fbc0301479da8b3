"""What a patch does to a document, how a stored one is read, and the limits of keys and
documents: the same for every adapter. Pure."""

from collections.abc import Sequence
from typing import Any

from zerog.model import jsontext
from zerog.model.documents import UNREADABLE
from zerog.model.errors import (
    DatastoreError,
    DocumentTooLargeError,
    PathExistsError,
    PathMissingError,
    UnreadableDocumentError,
)
from zerog.model.limits import MAX_DOCUMENT_BYTES
from zerog.store.port import (
    MAX_KEY_BYTES,
    MAX_PATCH_OPS,
    MAX_PATH_DEPTH,
    Document,
    PatchOp,
    Stored,
)

#: What has no more brackets than this cannot be nested deeper than `jsontext.loads` reads.
SURELY_READABLE_DEPTH = 150


def apply_patch(document: Document, ops: Sequence[PatchOp]) -> None:
    """Change a document in place; on an error the caller throws it away.

    Raises:
        PathExistsError: An `add` found its path there.
        PathMissingError: An `unset` did not find its path, or a parent is no object.
        DatastoreError: The patch exceeds what every adapter can do.
    """
    check_patch(ops)
    for op in ops:
        _apply(document, op)


def check_patch(ops: Sequence[PatchOp]) -> None:
    """Refuse a patch that has too many operations or too long paths: `DatastoreError`."""
    if not 0 < len(ops) <= MAX_PATCH_OPS:
        raise DatastoreError(f"a patch has 1 to {MAX_PATCH_OPS} operations, not {len(ops)}")
    for op in ops:
        if not 0 < len(op.path) <= MAX_PATH_DEPTH:
            raise DatastoreError(f"a path has 1 to {MAX_PATH_DEPTH} keys, not {len(op.path)}")


def _apply(document: Document, op: PatchOp) -> None:
    parent: Any = document
    for key in op.path[:-1]:
        parent = parent.setdefault(key, {}) if op.kind != "unset" else parent.get(key)
        if not isinstance(parent, dict):
            raise PathMissingError(f"no object at {'.'.join(op.path[:-1])}")
    last = op.path[-1]
    match op.kind:
        case "set":
            parent[last] = op.value
        case "add":
            if last in parent:
                raise PathExistsError(f"there is a value at {'.'.join(op.path)}")
            parent[last] = op.value
        case "incr":
            number = parent.get(last, 0)
            if not isinstance(number, int | float):
                raise DatastoreError(f"there is no number at {'.'.join(op.path)}")
            parent[last] = number + op.value
        case "unset":
            if last not in parent:
                raise PathMissingError(f"there is no value at {'.'.join(op.path)}")
            del parent[last]


def is_key(key: str) -> bool:
    """Whether a document may have this key."""
    return 0 < len(key.encode()) <= MAX_KEY_BYTES


def encode_document(key: str, document: Document) -> bytes:
    """Write a document as JSON, within the limits of key and size. `DatastoreError` otherwise."""
    if not 0 < len(key.encode()) <= MAX_KEY_BYTES:
        raise DatastoreError(f"a key has 1 to {MAX_KEY_BYTES} bytes: {key[:80]!r}")
    try:
        body = jsontext.dumps(document)
    except ValueError as error:
        raise DatastoreError(f"the document {key} cannot be written: {error}") from error
    if len(body) > MAX_DOCUMENT_BYTES:
        raise DocumentTooLargeError(
            f"the document {key} has {len(body)} bytes, at most {MAX_DOCUMENT_BYTES} are allowed"
        )
    # The reader bounds nesting, the writer does not: one such job would break every listing.
    if body.count(b"[") + body.count(b"{") > SURELY_READABLE_DEPTH:
        try:
            jsontext.loads(body)
        except ValueError as error:
            raise DocumentTooLargeError(f"the document {key} cannot be read: {error}") from error
    return body


def decode_document(body: bytes) -> Document:
    """Read what a store holds. `UnreadableDocumentError` if it is not a JSON object."""
    try:
        document = jsontext.loads(body)
    except (TypeError, ValueError) as error:  # nothing here has written it
        raise UnreadableDocumentError(f"it is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UnreadableDocumentError("it is not a JSON object")
    return document


def as_stored(body: bytes, revision: str, key: str) -> Stored:
    """Return a document as the interface gives it. See `Stored`."""
    try:
        return Stored(decode_document(body), revision, key, len(body))
    except UnreadableDocumentError as error:
        return Stored({UNREADABLE: str(error)}, revision, key, len(body))
