"""The commands that name a document: a request in, a response out, the engine in between.

Pure but for the engine: the session has logged in, negotiated and split the key before.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.couchbase import subdoc_commands
from tests.couchbase.engine import (
    VBUCKET_UUID,
    Address,
    Document,
    Engine,
    KvError,
    Write,
)
from tests.couchbase.frames import Request, Response
from tests.couchbase.protocol import (
    JSON_DATATYPE,
    MAY_BE_DURABLE,
    Feature,
    FrameId,
    Opcode,
    Status,
)

_STORE_EXTRAS = struct.Struct(">II")
_COUNTER_EXTRAS = struct.Struct(">QQI")
_U32 = struct.Struct(">I")
_TOKEN = struct.Struct(">QQ")
_META = struct.Struct(">IIIQ")
_COUNTER = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Durability:
    """What the bucket can promise."""

    #: Whether majorities can be reached: false answers durable writes with IMPOSSIBLE.
    possible: bool = True

    def check(self, opcode: Opcode, frame: bytes) -> None:
        """Raise unless this request may ask for that level."""
        if opcode not in MAY_BE_DURABLE or len(frame) not in (1, 3):
            raise KvError(Status.INVALID)
        if frame[0] not in (1, 2, 3):
            raise KvError(Status.DURABILITY_INVALID_LEVEL)
        if not self.possible:
            raise KvError(Status.DURABILITY_IMPOSSIBLE)


class Commands:
    """Carries out commands on one engine for a client with these features."""

    def __init__(
        self, engine: Engine, features: frozenset[Feature], durability: Durability
    ) -> None:
        self._engine = engine
        self._features = features
        self._durability = durability

    def run(self, opcode: Opcode, request: Request, address: Address) -> Response:
        """Return the answer to a command that names a document.

        Raises:
            KvError: It is refused.
        """
        preserve = self._check_frames(opcode, request)
        if opcode in _STORES:
            return self._store(opcode, request, address, preserve)
        if opcode is Opcode.MUTATE_IN:
            return self._mutate_in(request, address, preserve)
        if opcode is Opcode.LOOKUP_IN:
            return subdoc_commands.look_up(self._engine, address, request.value)
        return self._simple(opcode, request, address)

    def _check_frames(self, opcode: Opcode, request: Request) -> bool:
        preserve = False
        for number, data in request.frames:
            match number:
                case FrameId.DURABILITY:
                    self._durability.check(opcode, data)
                case FrameId.PRESERVE_TTL:
                    if data or opcode not in (*_STORES, Opcode.MUTATE_IN):
                        raise KvError(Status.INVALID)
                    preserve = True
                case _:
                    raise KvError(Status.UNKNOWN_FRAME_INFO)
        return preserve

    def _store(
        self, opcode: Opcode, request: Request, address: Address, preserve: bool
    ) -> Response:
        flags, expiry = _unpack(_STORE_EXTRAS, request.extras)
        write = Write(request.value, flags, expiry, request.cas, preserve)
        return self._changed(_STORES[opcode](self._engine, address, write))

    def _mutate_in(self, request: Request, address: Address, preserve: bool) -> Response:
        mutation = subdoc_commands.parse_mutation(
            request.extras, request.value, request.cas, preserve_expiry=preserve
        )
        result = subdoc_commands.mutate(self._engine, address, mutation)
        if result.document is None:
            return result.response
        return replace(result.response, extras=self._token(result.document))

    def _simple(self, opcode: Opcode, request: Request, address: Address) -> Response:
        engine = self._engine
        match opcode:
            case Opcode.GET:
                return self._read(engine.get(address))
            case Opcode.REMOVE:
                return self._changed(engine.remove(address, request.cas))
            case Opcode.TOUCH:
                (expiry,) = _unpack(_U32, request.extras)
                return Response(cas=engine.touch(address, expiry).cas)
            case Opcode.GET_AND_TOUCH:
                (expiry,) = _unpack(_U32, request.extras)
                return self._read(engine.touch(address, expiry))
            case Opcode.GET_AND_LOCK:
                seconds = _unpack(_U32, request.extras)[0] if request.extras else 0
                return self._read(engine.lock(address, seconds))
            case Opcode.UNLOCK:
                engine.unlock(address, request.cas)
                return Response()
            case Opcode.GET_META:
                return self._meta(request, address)
            case Opcode.INCREMENT | Opcode.DECREMENT:
                return self._count(opcode, request, address)
            case _:
                raise KvError(Status.UNKNOWN_COMMAND)

    def _count(self, opcode: Opcode, request: Request, address: Address) -> Response:
        delta, initial, expiry = _unpack(_COUNTER_EXTRAS, request.extras)
        signed = delta if opcode is Opcode.INCREMENT else -delta
        counted = self._engine.count(address, signed, initial, expiry)
        return replace(self._changed(counted), value=_COUNTER.pack(int(counted.value)))

    def _meta(self, request: Request, address: Address) -> Response:
        found = self._engine.get(address)
        extras = _META.pack(0, found.flags, found.expiry, found.seqno)
        if request.extras == b"\x02":
            extras += bytes([found.datatype])
        return Response(extras=extras, cas=found.cas)

    def _read(self, found: Document) -> Response:
        datatype = found.datatype if Feature.JSON in self._features else 0
        return Response(
            value=found.value, extras=_U32.pack(found.flags), cas=found.cas, datatype=datatype
        )

    def _changed(self, document: Document) -> Response:
        return Response(extras=self._token(document), cas=document.cas)

    def _token(self, document: Document) -> bytes:
        if Feature.MUTATION_SEQNO not in self._features:
            return b""
        return _TOKEN.pack(VBUCKET_UUID, document.seqno)


_STORES: dict[Opcode, Callable[[Engine, Address, Write], Document]] = {
    Opcode.UPSERT: Engine.upsert,
    Opcode.INSERT: Engine.insert,
    Opcode.REPLACE: Engine.replace,
}


def _unpack(layout: struct.Struct, extras: bytes) -> tuple[int, ...]:
    if len(extras) != layout.size:
        raise KvError(Status.INVALID)
    return layout.unpack(extras)


def describe_error(status: Status, manifest_uid: int, json_allowed: bool) -> Response:
    """Return the answer to a refused request: status and, where allowed, what it is about."""
    if not json_allowed:
        return Response(status)
    if status in (Status.UNKNOWN_COLLECTION, Status.UNKNOWN_SCOPE):
        body = f'{{"manifest_uid":"{manifest_uid:x}"}}'
    else:
        body = f'{{"error":{{"context":"{status.name}"}}}}'
    return Response(status, body.encode(), datatype=JSON_DATATYPE)
