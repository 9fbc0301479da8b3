"""The test server without its sockets: an engine, a clock that stands, a client of a session."""

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.couchbase import frames
from tests.couchbase.cluster_map import Ports
from tests.couchbase.engine import Address, Engine, vbucket_of
from tests.couchbase.faults import Faults
from tests.couchbase.frames import HEADER, Request, Response
from tests.couchbase.protocol import Feature, Opcode
from tests.couchbase.session import Bucket, Session

START = 1_800_000_000.0


class StandingClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


def decode_response(data: bytes) -> tuple[int, int, Response]:
    """Return opcode, opaque and response; every length must be that of the bytes."""
    magic, opcode, key_size, extras_size, datatype, status, body_size, opaque, cas = (
        HEADER.unpack_from(data)
    )
    body = data[HEADER.size :]
    assert magic == 0x81
    assert len(body) == body_size >= key_size + extras_size
    return (
        opcode,
        opaque,
        Response(
            status,
            body[extras_size + key_size :],
            body[:extras_size],
            body[extras_size : extras_size + key_size],
            cas,
            datatype,
        ),
    )


class Client:
    """Sends requests as bytes to a session and reads its answers from bytes."""

    def __init__(self, bucket: Bucket) -> None:
        self.session = Session(bucket)
        self._opaque = 0

    def send(self, opcode: Opcode, request: Request | None = None) -> Response:
        self._opaque += 1
        request = replace(request or Request(opcode), opcode=opcode, opaque=self._opaque)
        taken = frames.take_request(bytearray(frames.encode_request(request)))
        assert taken == request
        answer = frames.encode(taken, self.session.answer(opcode, taken))
        answered, opaque, response = decode_response(answer)
        assert (answered, opaque) == (opcode, self._opaque)
        return response

    def on(self, opcode: Opcode, key: bytes, collection: int = 0, **parts: object) -> Response:
        request = Request(opcode, frames.join_collection(collection, key), vbucket=vbucket_of(key))
        return self.send(opcode, replace(request, **parts))  # type: ignore[arg-type]

    def enter(self, features: tuple[Feature, ...] = tuple(Feature)) -> None:
        """Do all that a client does before its first document."""
        asked = struct.pack(f">{len(features)}H", *features)
        assert self.send(Opcode.HELLO, Request(0, b"test", value=asked)).value == asked
        plain = Request(0, b"PLAIN", value=b"\0zerog\0secret")
        assert self.send(Opcode.SASL_AUTH, plain).status == 0
        assert self.send(Opcode.SELECT_BUCKET, Request(0, b"zerog")).status == 0


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def engine(clock: StandingClock) -> Engine:
    return Engine(clock)


@pytest.fixture
def bucket(engine: Engine) -> Bucket:
    return Bucket("zerog", {"zerog": "secret"}, engine, Faults(), Ports(1001, 1002, 1003))


@pytest.fixture
def stranger(bucket: Bucket) -> Client:
    """A client that has only connected."""
    return Client(bucket)


@pytest.fixture
def client(stranger: Client) -> Client:
    """A client that has logged in and chosen the bucket, with all features."""
    stranger.enter()
    return stranger


@pytest.fixture
def named(engine: Engine) -> Callable[[bytes], Address]:
    """Addresses in a collection that is not the default one."""
    engine.manifest.create_scope("zerog")
    engine.manifest.create_collection("zerog", "jobs")
    number = engine.manifest.find("zerog", "jobs").number
    return lambda key: Address(number, key)
