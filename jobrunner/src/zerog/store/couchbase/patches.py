"""Change parts of a document: by sub-document operations where they can do it, else by reading
and replacing it.

Sub-document operations need no CAS: the server does them one after another, all of a
patch or none. What they cannot do (keys that are no plain words, floating increments,
deep documents, an addition that keeps an expiry) goes through a loop of compare-and-swap
around `zerog.store.patching`, which is also what decides over errors; so every
adapter refuses the same patches.
"""

import asyncio
import contextlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from couchbase import subdocument

from zerog.model import jsontext
from zerog.model.errors import (
    AmbiguousWriteError,
    DatastoreUnavailableError,
    DocumentExistsError,
    DocumentNotFoundError,
    RevisionConflictError,
)
from zerog.store.couchbase import failures
from zerog.store.couchbase.connection import Connection, Deadline
from zerog.store.couchbase.kinds import Kind, kind_of
from zerog.store.couchbase.writes import Found, Writes
from zerog.store.patching import apply_patch, check_patch, decode_document, encode_document
from zerog.store.port import Document, PatchOp

#: Keys that mean in a sub-document path what they say.
_PLAIN = re.compile(r"[A-Za-z0-9_ :-]{1,100}")
_MAX_PATH_CHARS = 1000
_MAX_DELTA = 2**62
#: Patches with more text are done by replacing: the server knows a larger limit than ours.
_MAX_VALUE_BYTES = 512 * 1024
#: And those that may nest so deeply that the document could not be read any more.
_MAX_BRACKETS = 100
_PAUSES_SECONDS = (0.0005, 0.05)


@dataclass(frozen=True, slots=True)
class Patch:
    """What is to be changed where."""

    collection: str
    key: str
    ops: Sequence[PatchOp]
    #: None: whatever is there.
    cas: int | None
    create: bool
    durable: bool = False

    @property
    def what(self) -> str:
        return f"{self.collection}/{self.key}"


class _NotByPartsError(Exception):
    """The server cannot do a patch by sub-document operations."""


class Patches:
    """Changes documents of a connection's collections."""

    def __init__(self, connection: Connection, writes: Writes) -> None:
        self._connection = connection
        self._writes = writes

    async def apply(self, patch: Patch) -> int:
        """Change a document, return its new CAS. Raises what the interface says."""
        check_patch(patch.ops)
        encode_document(patch.key, {})
        specs = _specs(patch.ops)
        if specs is not None:
            with contextlib.suppress(_NotByPartsError):  # nothing was changed
                return await self._by_parts(patch, specs)
        return await self._by_replacing(patch)

    async def _by_parts(self, patch: Patch, specs: list[Any]) -> int:
        place = self._connection.collections[patch.collection]
        options = self._writes.options(patch.durable) | {"preserve_expiry": True}
        if patch.cas is not None:
            options["cas"] = patch.cas
        elif patch.create:
            options["store_semantics"] = subdocument.StoreSemantics.UPSERT
        tries = 0

        async def attempt(timeout: timedelta) -> Any:
            nonlocal tries
            tries += 1
            if tries > 1 and not _repeatable(patch):
                raise AmbiguousWriteError(f"{patch.what} may have been changed: read it")
            return await place.mutate_in(patch.key, specs, timeout=timeout, **options)

        try:
            result, _ = await self._writes.repeat(patch.what, attempt)
        except Found as found:
            kind = kind_of(found.error)
            if kind is Kind.NOT_BY_PARTS:
                raise _NotByPartsError from None
            if found.doubt and kind is Kind.PATH_MISSING:
                return await self._done_before(patch, found.error)
            raise failures.translate(found.error, patch.what) from found.error
        return int(result.cas)

    async def _done_before(self, patch: Patch, error: Exception) -> int:
        """Return the CAS if the document shows what an earlier try of ours did."""
        there = await self._writes.get(patch.collection, patch.key, self._deadline())
        if there is not None and _shows(decode_document(there.body), patch.ops):
            return there.cas
        raise failures.in_doubt(error, patch.what) from error

    async def _by_replacing(self, patch: Patch) -> int:
        deadline = self._deadline()
        low, high = _PAUSES_SECONDS
        while True:
            there = await self._writes.get(patch.collection, patch.key, deadline)
            if there is None and (patch.cas is not None or not patch.create):
                raise DocumentNotFoundError(f"there is no document {patch.what}")
            if there is not None and patch.cas not in (None, there.cas):
                raise RevisionConflictError(f"{patch.what} was changed in the meantime")
            document: Document = decode_document(there.body) if there is not None else {}
            apply_patch(document, patch.ops)
            body = encode_document(patch.key, document)
            try:
                if there is None:
                    return await self._writes.insert(
                        patch.collection, patch.key, body, durable=patch.durable
                    )
                return await self._writes.replace(
                    patch.collection,
                    patch.key,
                    body,
                    there.cas,
                    durable=patch.durable,
                    preserve_expiry=True,
                )
            except (RevisionConflictError, DocumentExistsError, DocumentNotFoundError) as error:
                if patch.cas is not None:
                    raise
                if deadline.left <= 0:
                    raise DatastoreUnavailableError(
                        f"{patch.what} is changed by too many processes at once"
                    ) from error
            await asyncio.sleep(random.uniform(low, high))

    def _deadline(self) -> Deadline:
        return Deadline.after(self._connection.deadline_seconds)


def _specs(ops: Sequence[PatchOp]) -> list[Any] | None:
    """Return the SDK's operations, None if the patch has no such form."""
    specs = [_spec(op) for op in ops]
    return None if None in specs else specs


def _spec(op: PatchOp) -> Any:
    path = ".".join(op.path)
    if len(path) > _MAX_PATH_CHARS or not all(_PLAIN.fullmatch(key) for key in op.path):
        return None
    match op.kind:
        case "set":
            text = jsontext.dumps(op.value)
            if len(text) > _MAX_VALUE_BYTES or text.count(b"[") + text.count(b"{") > _MAX_BRACKETS:
                return None
            return subdocument.upsert(path, text, create_parents=True)
        case "incr":
            delta = op.value
            if type(delta) is not int or not 0 < abs(delta) < _MAX_DELTA:
                return None
            change = subdocument.increment if delta > 0 else subdocument.decrement
            return change(path, abs(delta), create_parents=True)
        case "unset":
            return subdocument.remove(path)
        case "add":  # the SDK does not keep the expiry with it
            return None


def _repeatable(patch: Patch) -> bool:
    """Whether doing it twice is the same as doing it once."""
    return patch.cas is None and all(op.kind != "incr" for op in patch.ops)


def _shows(document: Any, ops: Sequence[PatchOp]) -> bool:
    missing = object()
    for op in ops:
        value: Any = document
        for key in op.path:
            value = value.get(key, missing) if isinstance(value, dict) else missing
        if op.kind == "unset" and value is not missing:
            return False
        if op.kind == "set" and (
            value is missing or value != jsontext.loads(jsontext.dumps(op.value))
        ):
            return False
    return True
