"""Faults meet the requests they are meant for, as often as they say, on a real socket."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from tests.couchbase import frames
from tests.couchbase.control import Clock, Control
from tests.couchbase.engine import Address, Write, vbucket_of
from tests.couchbase.faults import Fault, FaultError, Faults, parse_fault
from tests.couchbase.frames import HEADER, Request, Response
from tests.couchbase.http import HttpRequest
from tests.couchbase.indexes import Indexes
from tests.couchbase.protocol import Opcode, Status
from tests.couchbase.query import QueryService
from tests.couchbase.session import Bucket, Connection
from tests.unit.couchbase.conftest import decode_response

#: Longer than a busy machine takes for an answer.
SHORT = 1.0


@dataclass
class Wire:
    """A client on a socket, logged in by hand."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, opcode: Opcode, request: Request) -> None:
        self.writer.write(frames.encode_request(request))
        await self.writer.drain()

    async def receive(self) -> Response:
        header = await self.reader.readexactly(HEADER.size)
        body = await self.reader.readexactly(HEADER.unpack(header)[6])
        return decode_response(header + body)[2]

    async def ask(
        self, opcode: Opcode, key: bytes, extras: bytes = b"", value: bytes = b""
    ) -> Response:
        await self.send(opcode, Request(opcode, key, extras, value, vbucket_of(key)))
        async with asyncio.timeout(60):
            return await self.receive()

    async def store(self, key: bytes = b"a") -> Response:
        return await self.ask(Opcode.UPSERT, key, extras=bytes(8), value=b"1")


@pytest.fixture
async def wire(bucket: Bucket) -> AsyncIterator[Wire]:
    open_connections: set[Connection] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(bucket, open_connections), "127.0.0.1", 0)
    wire = Wire(*await asyncio.open_connection(*server.sockets[0].getsockname()))
    await wire.send(Opcode.SASL_AUTH, Request(Opcode.SASL_AUTH, b"PLAIN", value=b"\0zerog\0secret"))
    await wire.receive()
    await wire.send(Opcode.SELECT_BUCKET, Request(Opcode.SELECT_BUCKET, b"zerog"))
    await wire.receive()
    yield wire
    wire.writer.close()
    with contextlib.suppress(OSError):
        await wire.writer.wait_closed()
    server.close()


def stored(bucket: Bucket, key: bytes = b"a") -> bool:
    return bucket.engine.find(Address(0, key)) is not None


@pytest.mark.parametrize("applied", [False, True])
async def test_a_status_is_answered_once(wire: Wire, bucket: Bucket, applied: bool) -> None:
    bucket.faults.add(Fault("status", applied=applied, status=Status.TEMPORARY_FAILURE))

    answer = await wire.store()

    assert answer.status == Status.TEMPORARY_FAILURE
    assert stored(bucket) is applied
    assert (await wire.store()).status == Status.SUCCESS


@pytest.mark.parametrize("applied", [False, True])
async def test_a_connection_is_cut_before_or_after_the_write(
    wire: Wire, bucket: Bucket, applied: bool
) -> None:
    bucket.faults.add(Fault("close", applied=applied))

    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await wire.store()

    assert stored(bucket) is applied


@pytest.mark.parametrize("applied", [False, True])
async def test_silence_lets_other_requests_through(
    wire: Wire, bucket: Bucket, applied: bool
) -> None:
    bucket.faults.add(Fault("silence", applied=applied, key_prefix="a"))
    await wire.send(
        Opcode.UPSERT,
        Request(Opcode.UPSERT, b"a", extras=bytes(8), value=b"1", vbucket=vbucket_of(b"a")),
    )

    assert (await wire.store(b"b")).status == Status.SUCCESS
    assert stored(bucket) is applied


async def test_a_delayed_request_is_overtaken(wire: Wire, bucket: Bucket) -> None:
    bucket.faults.add(Fault("delay", seconds=SHORT, key_prefix="slow"))
    bucket.engine.insert(Address(0, b"slow"), Write(b"slow"))
    bucket.engine.insert(Address(0, b"fast"), Write(b"fast"))
    started = time.monotonic()
    for key in (b"slow", b"fast"):
        await wire.send(Opcode.GET, Request(Opcode.GET, key, vbucket=vbucket_of(key)))

    answers = [(await wire.receive()).value, (await wire.receive()).value]

    assert answers == [b"fast", b"slow"]
    assert time.monotonic() - started >= SHORT


async def test_an_answer_may_be_late_while_the_write_is_done(wire: Wire, bucket: Bucket) -> None:
    bucket.faults.add(Fault("delay", applied=True, seconds=SHORT, opcode="UPSERT"))
    await wire.send(
        Opcode.UPSERT,
        Request(Opcode.UPSERT, b"a", extras=bytes(8), value=b"1", vbucket=vbucket_of(b"a")),
    )

    assert (await wire.ask(Opcode.GET, b"a")).value == b"1"
    assert (await wire.receive()).status == Status.SUCCESS


async def test_garbage_ends_the_connection(wire: Wire) -> None:
    wire.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    async with asyncio.timeout(60):
        assert await wire.reader.read() == b""


async def test_an_opcode_that_is_not_known_is_said_so(wire: Wire) -> None:
    wire.writer.write(frames.encode_request(Request(0x10)))

    async with asyncio.timeout(60):
        assert (await wire.receive()).status == Status.UNKNOWN_COMMAND


def test_faults_meet_what_they_name_and_let_pass_what_they_shall() -> None:
    faults = Faults()
    faults.add(Fault("silence", opcode="GET", collection="jobs", key_prefix="x", skip=1, count=2))

    met = [
        faults.meet(*request) is not None
        for request in (
            ("UPSERT", "jobs", "x1"),
            ("GET", "events", "x1"),
            ("GET", "jobs", "y1"),
            ("GET", "jobs", "x1"),
            ("GET", "jobs", "x2"),
            ("GET", "jobs", "x3"),
            ("GET", "jobs", "x4"),
        )
    ]

    assert met == [False, False, False, False, True, True, False]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"action": "explode"},
        {"action": "status"},
        {"action": "delay"},
        {"action": "close", "opcodes": "GET"},
        {"action": "close", "met": 4},
    ],
)
def test_what_is_no_fault_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(FaultError):
        parse_fault(given)


async def test_the_control_channel_sets_shows_and_ends_faults(bucket: Bucket) -> None:
    clock = Clock(lambda: 100.0)
    queries = QueryService(bucket, Indexes(clock), lambda: None)
    control = Control(bucket, clock, queries, lambda: 3)

    async def ask(method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        response = await control.handle(HttpRequest(method, path, body, "", ""))
        return response.status, response.body

    assert (await ask("POST", "/faults", b'{"action": "close"}'))[0] == 200
    bucket.faults.meet("GET")
    assert b'"met": 1' in (await ask("GET", "/faults"))[1]
    await ask("DELETE", "/faults")
    assert await ask("GET", "/faults") == (200, b"[]")
    await ask("POST", "/clock", b'{"advance": 5}')
    assert clock() == 105.0
    assert await ask("DELETE", "/connections") == (200, b'{"cut": 3}')
    for wrong in (("POST", "/faults", b"{}"), ("POST", "/clock", b"{}"), ("GET", "/nothing")):
        assert (await ask(*wrong))[0] == 400
