"""What was stored outlives the server, and the bytes of requests are read back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.couchbase.engine import Address, Engine, Write
from tests.couchbase.frames import (
    FrameError,
    Request,
    encode_request,
    join_collection,
    split_collection,
    take_request,
)
from tests.couchbase.indexes import Indexes
from tests.couchbase.journal import Journal, replay
from tests.couchbase.manifest import Manifest, ManifestError
from tests.couchbase.sqlpp import CreateIndex, Field, IndexKey, IsMissing, Keyspace, QueryError
from tests.couchbase.sqlpp_parser import parse
from tests.unit.couchbase.conftest import StandingClock

A, B = Address(0, b"a"), Address(0, b"b")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "journal"


def again(path: Path, clock: StandingClock) -> tuple[Engine, Indexes]:
    engine, indexes = Engine(clock), Indexes(clock)
    replay(path, engine, indexes)
    return engine, indexes


def test_what_was_stored_is_there_after_a_restart(
    path: Path, engine: Engine, clock: StandingClock, named: Callable[[bytes], Address]
) -> None:
    journal, indexes = Journal(path), Indexes(clock)
    engine.listener = journal.note_document
    keyspace = Keyspace("zerog", "zerog", "jobs")
    indexes.create(
        CreateIndex(
            "by_state",
            keyspace,
            (IndexKey(Field("state"), True),),
            IsMissing(Field("entry")),
            False,
            {},
        )
    )
    journal.note_definitions(engine.manifest, indexes)
    engine.insert(named(b"\xff"), Write(b'{"x":1}', flags=6, expiry=60))
    engine.insert(B, Write(b"1"))
    engine.remove(B)
    journal.close()

    engine_again, indexes_again = again(path, clock)

    assert engine_again.documents == engine.documents
    assert engine_again.manifest == engine.manifest
    assert indexes_again.describe() == indexes.describe()


def test_a_restart_repeats_no_cas_and_no_seqno(
    path: Path, engine: Engine, clock: StandingClock
) -> None:
    journal = Journal(path)
    engine.listener = journal.note_document
    before = engine.insert(A, Write(b"1"))
    journal.close()
    clock.now -= 1000

    after = again(path, clock)[0].upsert(A, Write(b"2"))

    assert (after.cas > before.cas, after.seqno) == (True, before.seqno + 1)


def test_a_line_that_was_cut_short_is_left_out(
    path: Path, engine: Engine, clock: StandingClock
) -> None:
    journal = Journal(path)
    engine.listener = journal.note_document
    engine.insert(A, Write(b"1"))
    engine.insert(B, Write(b"2"))
    journal.close()
    path.write_bytes(path.read_bytes()[:-5])

    assert list(again(path, clock)[0].documents) == [A]


@pytest.mark.parametrize("number", [0, 8, 127, 128, 300, 2**31])
def test_collection_ids_are_read_back(number: int) -> None:
    assert split_collection(join_collection(number, b"key")) == (number, b"key")


@pytest.mark.parametrize("key", [b"", b"\x80", b"\xff" * 6])
def test_a_key_without_a_collection_id_is_refused(key: bytes) -> None:
    with pytest.raises(FrameError):
        split_collection(key)


def test_a_request_is_taken_once_it_is_whole() -> None:
    request = Request(1, b"key", b"extra", b"value", 3, 7, 9, 1, frames=((1, b"\x01"), (5, b"")))
    data = encode_request(request)
    buffer = bytearray()
    for byte in data[:-1]:
        buffer.append(byte)
        assert take_request(buffer) is None

    buffer += data[-1:] + b"next"

    assert take_request(buffer) == request
    assert buffer == b"next"


@pytest.mark.parametrize(
    "data",
    [
        b"\x81" + bytes(23),
        bytes([0x80, 0, 0, 9]) + bytes(20),
        bytes([0x80, 0, 0, 0, 0, 0, 0, 0, 0xFF]) + bytes(15),
        encode_request(Request(0, frames=((1, b"\x01"),)))[:24] + b"\x1f\x00",
        encode_request(Request(0, frames=((1, b""),)))[:24] + b"\x13",
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        take_request(bytearray(data))


def test_names_of_collections_are_checked() -> None:
    manifest = Manifest()
    manifest.create_scope("s")
    manifest.create_collection("s", "c")

    calls: list[Callable[[], object]] = [
        lambda: manifest.create_scope("s"),
        lambda: manifest.create_scope("_mine"),
        lambda: manifest.create_scope(""),
        lambda: manifest.create_collection("s", "c"),
        lambda: manifest.create_collection("x", "c"),
        lambda: manifest.create_collection("s", "a b"),
        lambda: manifest.drop_collection("s", "x"),
    ]
    for call in calls:
        with pytest.raises(ManifestError):
            call()


def test_a_dropped_collections_number_is_not_given_again() -> None:
    manifest = Manifest()
    manifest.create_scope("s")
    manifest.create_collection("s", "c")
    first = manifest.find("s", "c").number
    manifest.drop_collection("s", "c")
    manifest.create_collection("s", "c")

    assert manifest.find("s", "c").number > first


@pytest.mark.parametrize(
    "text", ["", "SELECT", "CREATE INDEX", "SELECT ? FROM x", "BUILD INDEX ON a.b.c()"]
)
def test_half_statements_are_refused(text: str) -> None:
    with pytest.raises(QueryError):
        parse(text)
