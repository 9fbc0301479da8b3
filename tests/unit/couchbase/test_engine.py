"""Documents behave as those of the real data service do, where mocks tend to differ."""

from collections.abc import Callable

import pytest
from tests.couchbase.engine import LOCKED_CAS, MAX_VALUE_BYTES, Address, Engine, KvError, Write
from tests.couchbase.protocol import Status
from tests.unit.couchbase.conftest import START, StandingClock

A = Address(0, b"a")


def refusal(call: Callable[[], object]) -> Status:
    with pytest.raises(KvError) as caught:
        call()
    return caught.value.status


def test_a_cas_exceeds_what_a_double_can_count(engine: Engine) -> None:
    assert engine.insert(A, Write(b"1")).cas > 2**53


def test_a_cas_grows_while_the_clock_stands_or_falls(engine: Engine, clock: StandingClock) -> None:
    first = engine.upsert(A, Write(b"1")).cas
    clock.now -= 100

    assert engine.upsert(A, Write(b"2")).cas > first


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (lambda e: e.insert(A, Write(b"2")), Status.EXISTS),
        (lambda e: e.replace(Address(0, b"b"), Write(b"2")), Status.NOT_FOUND),
        (lambda e: e.upsert(Address(0, b"b"), Write(b"2", cas=7)), Status.NOT_FOUND),
        (lambda e: e.upsert(A, Write(b"2", cas=7)), Status.EXISTS),
        (lambda e: e.replace(A, Write(b"2", cas=7)), Status.EXISTS),
        (lambda e: e.remove(A, 7), Status.EXISTS),
        (lambda e: e.remove(Address(0, b"b")), Status.NOT_FOUND),
        (lambda e: e.get(Address(0, b"b")), Status.NOT_FOUND),
        (lambda e: e.touch(Address(0, b"b"), 9), Status.NOT_FOUND),
        (lambda e: e.unlock(A, 7), Status.NOT_LOCKED),
        (lambda e: e.get(Address(99, b"a")), Status.UNKNOWN_COLLECTION),
        (lambda e: e.get(Address(0, b"")), Status.INVALID),
        (lambda e: e.upsert(Address(0, b"k" * 251), Write(b"1")), Status.INVALID),
        (lambda e: e.upsert(A, Write(b"x" * (MAX_VALUE_BYTES + 1))), Status.TOO_BIG),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    engine: Engine, call: Callable[[Engine], object], status: Status
) -> None:
    stored = engine.insert(A, Write(b"1"))

    assert refusal(lambda: call(engine)) == status
    assert engine.get(A) == stored


def test_a_key_in_a_named_collection_may_be_four_bytes_shorter(
    engine: Engine, named: Callable[[bytes], Address]
) -> None:
    engine.upsert(Address(0, b"k" * 250), Write(b"1"))
    engine.upsert(named(b"k" * 246), Write(b"1"))

    assert refusal(lambda: engine.upsert(named(b"k" * 247), Write(b"1"))) == Status.INVALID


@pytest.mark.parametrize("write", [Engine.upsert, Engine.replace])
def test_a_full_write_clears_the_expiry(
    engine: Engine, write: Callable[[Engine, Address, Write], object]
) -> None:
    engine.insert(A, Write(b"1", expiry=60))

    write(engine, A, Write(b"2"))

    assert engine.get(A).expiry == 0


@pytest.mark.parametrize("write", [Engine.upsert, Engine.replace])
def test_a_full_write_may_preserve_the_expiry(
    engine: Engine, write: Callable[[Engine, Address, Write], object]
) -> None:
    engine.insert(A, Write(b"1", expiry=60))

    write(engine, A, Write(b"2", preserve_expiry=True))

    assert engine.get(A).expiry == START + 60


def test_a_document_is_gone_at_its_expiry(engine: Engine, clock: StandingClock) -> None:
    engine.insert(A, Write(b"1", expiry=60))
    clock.now += 59
    engine.get(A)
    clock.now += 1

    assert refusal(lambda: engine.get(A)) == Status.NOT_FOUND
    engine.insert(A, Write(b"2"))


def test_an_expiry_beyond_thirty_days_is_a_moment(engine: Engine) -> None:
    month = 30 * 24 * 3600
    assert engine.insert(A, Write(b"1", expiry=month)).expiry == START + month
    assert engine.upsert(A, Write(b"1", expiry=int(START) + 5)).expiry == START + 5


def test_touching_changes_the_cas_only_with_the_expiry(engine: Engine) -> None:
    first = engine.insert(A, Write(b"1"))

    touched = engine.touch(A, 60)

    assert touched.cas > first.cas
    assert engine.touch(A, 60).cas == touched.cas
    assert engine.touch(A, 0).expiry == 0


def test_a_collections_longest_ttl_caps_and_is_the_default(engine: Engine) -> None:
    engine.manifest.create_scope("s")
    engine.manifest.create_collection("s", "c", max_ttl=100)
    address = Address(engine.manifest.find("s", "c").number, b"a")

    assert engine.upsert(address, Write(b"1")).expiry == START + 100
    assert engine.upsert(address, Write(b"1", expiry=500)).expiry == START + 100
    assert engine.upsert(address, Write(b"1", expiry=50)).expiry == START + 50


def test_a_locked_document_hides_its_cas_and_yields_to_its_holder_alone(engine: Engine) -> None:
    engine.insert(A, Write(b"1"))
    held = engine.lock(A, 10)

    assert engine.get(A).cas == LOCKED_CAS
    for call in (
        lambda: engine.upsert(A, Write(b"2")),
        lambda: engine.upsert(A, Write(b"2", cas=held.cas - 1)),
        lambda: engine.remove(A),
        lambda: engine.touch(A, 5),
        lambda: engine.lock(A, 5),
        lambda: engine.unlock(A, held.cas - 1),
        lambda: engine.count(A, 1, 0, 0),
    ):
        assert refusal(call) == Status.LOCKED
    changed = engine.replace(A, Write(b"2", cas=held.cas))
    assert engine.get(A).cas == changed.cas


def test_a_lock_ends_by_itself(engine: Engine, clock: StandingClock) -> None:
    engine.insert(A, Write(b"1"))
    engine.lock(A, 10)
    clock.now += 10

    engine.upsert(A, Write(b"2"))


def test_a_lock_that_is_too_long_gets_the_default(engine: Engine, clock: StandingClock) -> None:
    engine.insert(A, Write(b"1"))
    engine.lock(A, 1000)
    clock.now += 16

    engine.upsert(A, Write(b"2"))


def test_a_counter_is_made_counts_and_keeps_its_expiry(engine: Engine) -> None:
    assert refusal(lambda: engine.count(A, 1, 5, 0xFFFF_FFFF)) == Status.NOT_FOUND
    assert engine.count(A, 1, 5, 60).value == b"5"
    assert engine.count(A, 3, 5, 0).value == b"8"
    assert engine.count(A, -100, 5, 0).value == b"0"
    assert engine.get(A).expiry == START + 60


def test_a_counter_over_text_is_refused(engine: Engine) -> None:
    engine.insert(A, Write(b'"x"'))

    assert refusal(lambda: engine.count(A, 1, 0, 0)) == Status.DELTA_BAD_VALUE


def test_seqnos_of_a_vbucket_grow_with_each_mutation(engine: Engine) -> None:
    seqnos = [
        engine.insert(A, Write(b"1")).seqno,
        engine.touch(A, 9).seqno,
        engine.remove(A).seqno,
        engine.insert(A, Write(b"1")).seqno,
    ]

    assert seqnos == [1, 2, 3, 4]


def test_what_expired_stays_until_it_is_looked_at_or_purged(
    engine: Engine, clock: StandingClock
) -> None:
    for key in (b"a", b"b", b"c"):
        engine.insert(Address(0, key), Write(b"1", expiry=5 if key < b"c" else 0))
    clock.now += 5
    assert len(engine.documents) == 3

    refusal(lambda: engine.get(A))
    assert len(engine.documents) == 2
    engine.purge()
    assert [address.key for address in engine.documents] == [b"c"]
