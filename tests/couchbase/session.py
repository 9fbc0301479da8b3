"""One client's connection to the data service: bytes in, bytes out, and the faults in between.

It answers in the order of the requests, but for those that a fault delays: the client has
agreed to that (unordered execution).
"""

import asyncio
import json
import struct
from collections import Counter
from dataclasses import dataclass, field

from tests.couchbase import cluster_map, frames
from tests.couchbase.cluster_map import Ports
from tests.couchbase.commands import Commands, Durability, describe_error
from tests.couchbase.engine import VBUCKETS, Address, Engine, KvError
from tests.couchbase.faults import Fault, Faults
from tests.couchbase.frames import Request, Response
from tests.couchbase.http import HttpRequest
from tests.couchbase.manifest import ManifestError
from tests.couchbase.protocol import (
    JSON_DATATYPE,
    KEYED,
    MAY_BE_DURABLE,
    Feature,
    FrameId,
    Opcode,
    Status,
)
from tests.couchbase.scram import MECHANISMS, AuthError, Exchange, check_plain
from tests.couchbase.tls import named_user

_COLLECTION_ID = struct.Struct(">QI")


@dataclass(slots=True)
class Bucket:
    """The one bucket of the server, and all that its connections share."""

    name: str
    users: dict[str, str]
    engine: Engine
    faults: Faults
    ports: Ports
    replicas: int = 0
    durability: Durability = field(default_factory=Durability)
    #: How many requests have come, by the names that faults use too, and for each user by
    #: `USER COLLECTION`, `USER QUERY` and `USER MANAGEMENT`. Writes also by `DURABLE OPCODE
    #: COLLECTION` or `PLAIN OPCODE COLLECTION`.
    counters: Counter[str] = field(default_factory=Counter)
    #: Users who read and write documents, and neither see nor make collections and indexes.
    restricted: frozenset[str] = frozenset()

    def map_for(self, bucket: str | None) -> bytes:
        """Return the cluster's map."""
        uid = self.engine.manifest.uid
        return cluster_map.build_cluster_map(bucket, self.ports, self.replicas, uid)

    def admits(self, request: HttpRequest) -> bool:
        """Return whether a request comes from a user: by certificate or by password."""
        if request.certified is not None:
            return request.certified in self.users
        return request.user in self.users and self.users[request.user] == request.password


class Session:
    """What one connection has agreed on; `answer` handles a request, without any I/O."""

    def __init__(self, bucket: Bucket, certified: str | None = None) -> None:
        self._bucket = bucket
        self._exchange: Exchange | None = None
        self.features: frozenset[Feature] = frozenset()
        self.user = certified if certified in bucket.users else None
        self.selected = False

    def answer(self, opcode: Opcode, request: Request) -> Response:
        """Carry out a request and return the answer, also where it is refused."""
        try:
            if opcode in _BEFORE_LOGIN:
                return self._greet(opcode, request)
            if self.user is None and opcode is not Opcode.GET_ERROR_MAP:
                raise KvError(Status.NO_ACCESS)
            if opcode in KEYED:
                return self._run(opcode, request)
            return self._administer(opcode, request)
        except (KvError, AuthError, ManifestError) as error:
            return self.refuse(error.status)
        except frames.FrameError:
            return self.refuse(Status.INVALID)

    def refuse(self, status: int) -> Response:
        """Return an answer that says no."""
        if status == Status.NOT_MY_VBUCKET:
            # It carries the map that the client should have used.
            name = self._bucket.name if self.selected else None
            return Response(status, self._bucket.map_for(name), datatype=self._json())
        try:
            known = Status(status)
        except ValueError:
            return Response(status)
        allowed = {Feature.XERROR, Feature.JSON} <= self.features
        return describe_error(known, self._bucket.engine.manifest.uid, allowed)

    def name_target(self, opcode: Opcode, request: Request) -> tuple[str, str] | None:
        """Return collection and key as faults name them; None if no document is meant."""
        if opcode not in KEYED:
            return None
        try:
            number, key = self._split(request.key)
        except frames.FrameError:
            return None
        collection = self._bucket.engine.manifest.collections.get(number)
        return collection.name if collection else "", key.decode(errors="replace")

    def _split(self, key: bytes) -> tuple[int, bytes]:
        if Feature.COLLECTIONS in self.features:
            return frames.split_collection(key)
        return 0, key

    def _json(self) -> int:
        return JSON_DATATYPE if Feature.JSON in self.features else 0

    def _greet(self, opcode: Opcode, request: Request) -> Response:
        match opcode:
            case Opcode.HELLO:
                return self._hello(request)
            case Opcode.SASL_LIST_MECHS:
                return Response(value=" ".join(MECHANISMS).encode())
            case Opcode.SASL_AUTH if request.key == b"PLAIN":
                check_plain(request.value, self._bucket.users)
                self.user = request.value.split(b"\0")[1].decode()
                return Response()
            case Opcode.SASL_AUTH:
                self._exchange = Exchange(request.key.decode(), self._bucket.users)
                return Response(Status.AUTH_CONTINUE, self._exchange.first(request.value))
            case _:
                return self._finish_login(request)

    def _hello(self, request: Request) -> Response:
        if len(request.value) % 2:
            raise KvError(Status.INVALID)
        asked = struct.unpack(f">{len(request.value) // 2}H", request.value)
        self.features = frozenset(feature for feature in Feature if feature in asked)
        granted = [number for number in asked if number in self.features]
        return Response(value=struct.pack(f">{len(granted)}H", *granted))

    def _finish_login(self, request: Request) -> Response:
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            raise AuthError("there is no login under way")
        proof = exchange.final(request.value)
        self.user = exchange.user
        return Response(value=proof)

    def _administer(self, opcode: Opcode, request: Request) -> Response:
        engine = self._bucket.engine
        match opcode:
            case Opcode.NOOP:
                return Response()
            case Opcode.GET_ERROR_MAP:
                return Response(value=cluster_map.build_error_map(), datatype=self._json())
            case Opcode.SELECT_BUCKET:
                # As the real one does: whoever may not see a bucket does not learn of it.
                if request.key != self._bucket.name.encode():
                    raise KvError(Status.NO_ACCESS)
                self.selected = True
                return Response()
            case Opcode.GET_CLUSTER_CONFIG:
                name = self._bucket.name if self.selected else None
                return Response(value=self._bucket.map_for(name), datatype=self._json())
        if not self.selected:
            raise KvError(Status.NO_BUCKET)
        if opcode is Opcode.GET_COLLECTIONS_MANIFEST:
            text = json.dumps(engine.manifest.to_json()).encode()
            return Response(value=text, datatype=self._json())
        assert opcode is Opcode.GET_COLLECTION_ID
        path = (request.value or request.key).decode(errors="replace")
        scope, _, name = path.partition(".")
        found = engine.manifest.find(scope or "_default", name or "_default")
        return Response(extras=_COLLECTION_ID.pack(engine.manifest.uid, found.number))

    def _run(self, opcode: Opcode, request: Request) -> Response:
        if not self.selected:
            raise KvError(Status.NO_BUCKET)
        if request.vbucket >= VBUCKETS:
            raise KvError(Status.NOT_MY_VBUCKET)
        number, key = self._split(request.key)
        bucket = self._bucket
        commands = Commands(bucket.engine, self.features, bucket.durability)
        return commands.run(opcode, request, Address(number, key))


_BEFORE_LOGIN = frozenset(
    {Opcode.HELLO, Opcode.SASL_LIST_MECHS, Opcode.SASL_AUTH, Opcode.SASL_STEP}
)


class Connection(asyncio.Protocol):
    """Moves bytes between a socket and its session, and does what faults say."""

    def __init__(self, bucket: Bucket, open_connections: set["Connection"]) -> None:
        self._bucket = bucket
        self._session = Session(bucket)
        self._open = open_connections
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._session = Session(self._bucket, named_user(transport.get_extra_info("ssl_object")))
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._transport = None
        self._open.discard(self)

    def close(self) -> None:
        """Cut the connection at once, with what is still unsent."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer every request that has come whole."""
        self._buffer += data
        while self._transport is not None:
            try:
                request = frames.take_request(self._buffer)
            except frames.FrameError:
                self.close()
                return
            if request is None:
                return
            self._meet(request)

    def _meet(self, request: Request) -> None:
        try:
            opcode = Opcode(request.opcode)
        except ValueError:
            self._send(request, self._session.refuse(Status.UNKNOWN_COMMAND))
            return
        self._bucket.counters[opcode.name] += 1
        target = self._session.name_target(opcode, request)
        if target is not None:
            self._bucket.counters[f"{self._session.user} {target[0]}"] += 1
            if opcode in MAY_BE_DURABLE:
                level = _level_of(request)
                self._bucket.counters[f"{level} {opcode.name} {target[0]}"] += 1
        fault = self._bucket.faults.meet(opcode.name, *target) if target else None
        if fault is None:
            self._send(request, self._session.answer(opcode, request))
        else:
            self._fail(fault, opcode, request)

    def _fail(self, fault: Fault, opcode: Opcode, request: Request) -> None:
        if fault.action == "delay":
            self._delay(fault, opcode, request)
            return
        if fault.applied:
            self._session.answer(opcode, request)
        if fault.action == "status":
            self._send(request, self._session.refuse(fault.status))
        elif fault.action == "close":
            self.close()

    def _delay(self, fault: Fault, opcode: Opcode, request: Request) -> None:
        loop = asyncio.get_running_loop()
        if fault.applied:
            answer = self._session.answer(opcode, request)
            loop.call_later(fault.seconds, self._send, request, answer)
        else:
            loop.call_later(
                fault.seconds,
                lambda: self._send(request, self._session.answer(opcode, request)),
            )

    def _send(self, request: Request, response: Response) -> None:
        if self._transport is not None:
            self._transport.write(frames.encode(request, response))


def _level_of(request: Request) -> str:
    durable = any(number == FrameId.DURABILITY for number, _ in request.frames)
    return "DURABLE" if durable else "PLAIN"
