"""The two sub-document commands: many lookups, or many changes of which all are made or none."""

import json
import struct
from dataclasses import dataclass
from typing import cast

from tests.couchbase import subdoc
from tests.couchbase.engine import LOCKED_CAS, Address, Document, Engine, KvError, Write
from tests.couchbase.frames import Response
from tests.couchbase.protocol import JSON_DATATYPE, Status
from tests.couchbase.subdoc import Json, Op

MAX_PATHS = 16
_LOOKUP_SPEC = struct.Struct(">BBH")
_MUTATION_SPEC = struct.Struct(">BBHI")
_LOOKUP_RESULT = struct.Struct(">HI")
_MUTATION_RESULT = struct.Struct(">BHI")
_MUTATION_FAILURE = struct.Struct(">BH")
#: Flags of a path.
_CREATE_PARENTS = 0x01
_XATTR = 0x04
#: Flags of the document.
_UPSERT = 0x01
_INSERT = 0x02


@dataclass(frozen=True, slots=True)
class Spec:
    """One path and what to do there."""

    op: Op
    flags: int
    path: bytes
    value: bytes = b""


def parse_specs(data: bytes, *, mutations: bool) -> list[Spec]:
    """Return the specs of a request.

    Raises:
        KvError: They are cut short, too many, none, or of an unknown kind.
    """
    layout = _MUTATION_SPEC if mutations else _LOOKUP_SPEC
    specs, at = [], 0
    while at < len(data):
        if at + layout.size > len(data):
            raise KvError(Status.INVALID)
        op, flags, path_size, *rest = layout.unpack_from(data, at)
        at += layout.size
        end = at + path_size + sum(rest)
        if end > len(data):
            raise KvError(Status.INVALID)
        try:
            spec = Spec(Op(op), flags, data[at : at + path_size], data[at + path_size : end])
        except ValueError as error:
            raise KvError(Status.INVALID_COMBINATION) from error
        specs.append(spec)
        at = end
    if not 0 < len(specs) <= MAX_PATHS:
        raise KvError(Status.INVALID_COMBINATION)
    return specs


def look_up(engine: Engine, address: Address, value: bytes) -> Response:
    """Answer LOOKUP_IN: each path has its own status."""
    specs = parse_specs(value, mutations=False)
    document = engine.get(address)
    root = _parse(document.value)
    body, failed = bytearray(), False
    for spec in specs:
        status, found = Status.SUCCESS, b""
        try:
            found = _look_at(document, root, spec)
        except KvError as error:
            status, failed = error.status, True
        body += _LOOKUP_RESULT.pack(status, len(found)) + found
    overall = Status.MULTI_PATH_FAILURE if failed else Status.SUCCESS
    return Response(overall, bytes(body), cas=document.cas)


class _NotJson:
    """Stands for a body that is not JSON."""


def _parse(value: bytes) -> Json:
    """Return the document, or a `_NotJson`."""
    try:
        return cast(Json, json.loads(value))
    except ValueError:
        return _NotJson()


def _look_at(document: Document, root: Json, spec: Spec) -> bytes:
    if spec.flags & _XATTR:
        return _look_at_virtual(document, spec)
    if spec.op is Op.GET_DOC:
        return document.value
    if isinstance(root, _NotJson):
        raise KvError(Status.DOC_NOT_JSON)
    if subdoc.is_too_deep(document.value, root):
        raise KvError(Status.DOC_TOO_DEEP)
    return subdoc.look(root, spec.op, spec.path)


def _look_at_virtual(document: Document, spec: Spec) -> bytes:
    """Answer for what the server says of a document; attributes of users are not kept here."""
    if not spec.path.startswith(b"$"):
        raise KvError(Status.PATH_NOT_FOUND)
    attributes = {
        "$document": {
            "CAS": f"{document.cas:#018x}",
            "exptime": document.expiry,
            "flags": document.flags,
            "seqno": f"{document.seqno:#018x}",
            "value_bytes": len(document.value),
            "datatype": ["json"] if document.datatype == JSON_DATATYPE else ["raw"],
            "deleted": False,
        }
    }
    if spec.path.split(b".")[0] != b"$document":
        raise KvError(Status.XATTR_UNKNOWN_VATTR)
    return subdoc.look(attributes, spec.op, spec.path)


@dataclass(frozen=True, slots=True)
class Mutation:
    """A MUTATE_IN as it came."""

    specs: list[Spec]
    cas: int
    expiry: int
    document_flags: int
    user_flags: int | None
    preserve_expiry: bool


def parse_mutation(extras: bytes, value: bytes, cas: int, *, preserve_expiry: bool) -> Mutation:
    """Return what a MUTATE_IN asks for.

    Raises:
        KvError: It is malformed.
    """
    if len(extras) not in (0, 1, 4, 5, 8, 9):
        raise KvError(Status.INVALID)
    sized, flags = (extras[:-1], extras[-1]) if len(extras) in (1, 5, 9) else (extras, 0)
    expiry = int.from_bytes(sized[:4], "big")
    user_flags = int.from_bytes(sized[4:8], "big") if len(sized) == 8 else None
    specs = parse_specs(value, mutations=True)
    if flags & _UPSERT and flags & _INSERT:
        raise KvError(Status.INVALID)
    return Mutation(specs, cas, expiry, flags, user_flags, preserve_expiry)


@dataclass(frozen=True, slots=True)
class Mutated:
    """How a MUTATE_IN ended: the document's new state, or why nothing was changed."""

    response: Response
    document: Document | None


def mutate(engine: Engine, address: Address, mutation: Mutation) -> Mutated:
    """Carry out MUTATE_IN: all changes or none; the answer names the first that failed."""
    engine.check_address(address)
    found = _find_target(engine, address, mutation)
    root: Json = {} if found is None else _parse(found.value)
    deep = found is not None and subdoc.is_too_deep(found.value, root)
    body, removed = bytearray(), False
    for index, spec in enumerate(mutation.specs):
        try:
            if spec.op is Op.REMOVE_DOC:
                removed = True
                continue
            if deep and spec.op is not Op.SET_DOC:
                raise KvError(Status.DOC_TOO_DEEP)
            root, counted = _apply(root, spec)
        except KvError as error:
            failure = _MUTATION_FAILURE.pack(index, error.status)
            return Mutated(Response(Status.MULTI_PATH_FAILURE, failure), None)
        if counted is not None:
            body += _MUTATION_RESULT.pack(index, Status.SUCCESS, len(counted)) + counted
    if removed:
        tombstone = engine.remove(address, mutation.cas)
        return Mutated(Response(cas=tombstone.cas), tombstone)
    flags = mutation.user_flags if mutation.user_flags is not None else found.flags if found else 0
    write = Write(
        subdoc.encode(root), flags, mutation.expiry, mutation.cas, mutation.preserve_expiry
    )
    stored = engine.upsert(address, write)
    return Mutated(Response(value=bytes(body), cas=stored.cas), stored)


def _find_target(engine: Engine, address: Address, mutation: Mutation) -> Document | None:
    """Return the document to change, None when a new one shall be made."""
    found = engine.find(address)
    if found is None:
        if not mutation.document_flags & (_UPSERT | _INSERT) or mutation.cas:
            raise KvError(Status.NOT_FOUND)
        return None
    if mutation.document_flags & _INSERT:
        raise KvError(Status.EXISTS)
    if engine.is_locked(found) and mutation.cas in (0, LOCKED_CAS):
        raise KvError(Status.LOCKED)
    # The state that the paths are held against must be the one that was meant.
    if mutation.cas not in (0, found.cas):
        raise KvError(Status.LOCKED if engine.is_locked(found) else Status.EXISTS)
    return found


def _apply(root: Json, spec: Spec) -> tuple[Json, bytes | None]:
    if spec.flags & _XATTR:
        virtual = spec.path.startswith(b"$")
        raise KvError(Status.XATTR_CANNOT_MODIFY_VATTR if virtual else Status.NOT_SUPPORTED)
    if spec.op is Op.SET_DOC:
        try:
            return json.loads(spec.value), None
        except ValueError as error:
            raise KvError(Status.VALUE_CANNOT_INSERT) from error
    if isinstance(root, _NotJson):
        raise KvError(Status.DOC_NOT_JSON)
    create = bool(spec.flags & _CREATE_PARENTS)
    return root, subdoc.change(root, spec.op, spec.path, spec.value, create_parents=create)
