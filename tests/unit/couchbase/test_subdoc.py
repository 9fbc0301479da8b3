"""Changes inside documents: what each operation does, refuses and leaves alone."""

import json
import struct
from collections.abc import Callable

import pytest
from tests.couchbase import subdoc
from tests.couchbase.engine import Address, Engine, KvError, Write
from tests.couchbase.frames import Response
from tests.couchbase.protocol import FrameId, Opcode, Status
from tests.couchbase.subdoc import Op
from tests.unit.couchbase.conftest import START, Client

A = Address(0, b"a")
CREATE_PARENTS = 0x01
XATTR = 0x04
UPSERT, INSERT = b"\x01", b"\x02"
Spec = tuple[Op, int, bytes, bytes]


def mutate(client: Client, *specs: Spec, extras: bytes = b"", cas: int = 0) -> Response:
    value = b"".join(
        struct.pack(">BBHI", op, flags, len(path), len(text)) + path + text
        for op, flags, path, text in specs
    )
    return client.on(Opcode.MUTATE_IN, b"a", value=value, extras=extras, cas=cas)


def look(client: Client, *specs: tuple[Op, int, bytes]) -> list[tuple[int, bytes]]:
    """Return status and content of each path; the answer must hold nothing else."""
    value = b"".join(struct.pack(">BBH", op, flags, len(path)) + path for op, flags, path in specs)
    answer = client.on(Opcode.LOOKUP_IN, b"a", value=value)
    found, at = [], 0
    while at < len(answer.value):
        status, size = struct.unpack_from(">HI", answer.value, at)
        found.append((status, answer.value[at + 6 : at + 6 + size]))
        at += 6 + size
    failed = any(status for status, _ in found)
    assert answer.status == (Status.MULTI_PATH_FAILURE if failed else Status.SUCCESS)
    return found


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a.b.c", ["a", "b", "c"]),
        (b"a[0].b[-1]", ["a", 0, "b", -1]),
        (b"[3]", [3]),
        (b"`a.b`.c", ["a.b", "c"]),
        (b"a.`x``y`", ["a", "x`y"]),
        ("grün".encode(), ["grün"]),
    ],
)
def test_paths_are_read(path: bytes, steps: list[str | int]) -> None:
    assert subdoc.parse_path(path) == steps


@pytest.mark.parametrize(
    "path", [b".", b"a.", b"a..b", b"a[", b"a[x]", b"a[-2]", b"a]b", b"`a", b"`a`b", b"\xff"]
)
def test_malformed_paths_are_refused(path: bytes) -> None:
    with pytest.raises(KvError) as caught:
        subdoc.parse_path(path)
    assert caught.value.status == Status.PATH_INVALID


@pytest.mark.parametrize("path", [b"a" * 1025, b".".join([b"a"] * 33)])
def test_long_and_deep_paths_are_refused(path: bytes) -> None:
    with pytest.raises(KvError) as caught:
        subdoc.parse_path(path)
    assert caught.value.status == Status.PATH_TOO_BIG


@pytest.mark.parametrize(
    ("spec", "after"),
    [
        ((Op.DICT_ADD, 0, b"b", b"2"), {"a": 1, "l": [1, 2], "d": {}, "b": 2}),
        ((Op.DICT_UPSERT, 0, b"a", b'{"x":0}'), {"a": {"x": 0}, "l": [1, 2], "d": {}}),
        ((Op.DICT_UPSERT, 1, b"x.y", b"0"), {"a": 1, "l": [1, 2], "d": {}, "x": {"y": 0}}),
        ((Op.REMOVE, 0, b"a", b""), {"l": [1, 2], "d": {}}),
        ((Op.REMOVE, 0, b"l[0]", b""), {"a": 1, "l": [2], "d": {}}),
        ((Op.REPLACE, 0, b"l[-1]", b'"x"'), {"a": 1, "l": [1, "x"], "d": {}}),
        ((Op.ARRAY_PUSH_LAST, 0, b"l", b"3,4"), {"a": 1, "l": [1, 2, 3, 4], "d": {}}),
        ((Op.ARRAY_PUSH_FIRST, 0, b"l", b"0"), {"a": 1, "l": [0, 1, 2], "d": {}}),
        ((Op.ARRAY_PUSH_LAST, 1, b"d.n", b"0"), {"a": 1, "l": [1, 2], "d": {"n": [0]}}),
        ((Op.ARRAY_INSERT, 0, b"l[1]", b"9"), {"a": 1, "l": [1, 9, 2], "d": {}}),
        ((Op.ARRAY_ADD_UNIQUE, 0, b"l", b"3"), {"a": 1, "l": [1, 2, 3], "d": {}}),
        ((Op.SET_DOC, 0, b"", b'{"new":1}'), {"new": 1}),
    ],
)
def test_a_change_is_made(client: Client, engine: Engine, spec: Spec, after: object) -> None:
    engine.upsert(A, Write(b'{"a":1,"l":[1,2],"d":{}}'))

    assert mutate(client, spec).status == Status.SUCCESS
    assert json.loads(engine.get(A).value) == after


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ((Op.DICT_ADD, 0, b"a", b"2"), Status.PATH_EXISTS),
        ((Op.DICT_ADD, 0, b"x.y", b"2"), Status.PATH_NOT_FOUND),
        ((Op.DICT_UPSERT, 1, b"a.y", b"2"), Status.PATH_MISMATCH),
        ((Op.DICT_UPSERT, 0, b"l[0]", b"2"), Status.PATH_INVALID),
        ((Op.DICT_UPSERT, 0, b"", b"2"), Status.PATH_INVALID),
        ((Op.DICT_UPSERT, 0, b"a", b"{"), Status.VALUE_CANNOT_INSERT),
        ((Op.DICT_UPSERT, 0, b"z", b"[" * 32 + b"]" * 32), Status.VALUE_TOO_DEEP),
        ((Op.REMOVE, 0, b"x", b""), Status.PATH_NOT_FOUND),
        ((Op.REPLACE, 0, b"x", b"1"), Status.PATH_NOT_FOUND),
        ((Op.REMOVE, 0, b"a[0]", b""), Status.PATH_MISMATCH),
        ((Op.ARRAY_PUSH_LAST, 0, b"a", b"1"), Status.PATH_MISMATCH),
        ((Op.ARRAY_ADD_UNIQUE, 0, b"l", b"1"), Status.PATH_EXISTS),
        ((Op.ARRAY_INSERT, 0, b"l[7]", b"1"), Status.PATH_NOT_FOUND),
        ((Op.COUNTER, 0, b"s", b"1"), Status.PATH_MISMATCH),
        ((Op.COUNTER, 0, b"a", b"0"), Status.DELTA_INVALID),
        ((Op.COUNTER, 0, b"a", b"x"), Status.DELTA_INVALID),
        ((Op.COUNTER, 0, b"a", b"9223372036854775807"), Status.VALUE_CANNOT_INSERT),
        ((Op.DICT_UPSERT, XATTR, b"$document.CAS", b"1"), Status.XATTR_CANNOT_MODIFY_VATTR),
    ],
)
def test_of_several_changes_with_one_that_cannot_be_made_none_is(
    client: Client, engine: Engine, spec: Spec, status: Status
) -> None:
    stored = engine.upsert(A, Write(b'{"a":1,"l":[1,2],"s":"x"}'))

    answer = mutate(client, (Op.DICT_UPSERT, 0, b"first", b"1"), spec)

    assert answer.status == Status.MULTI_PATH_FAILURE
    assert answer.value == struct.pack(">BH", 1, status)
    assert engine.get(A) == stored


def test_counters_answer_with_their_index_and_their_number(client: Client, engine: Engine) -> None:
    engine.upsert(A, Write(b'{"n":40,"l":[1]}'))

    answer = mutate(
        client,
        (Op.DICT_UPSERT, 0, b"x", b"1"),
        (Op.COUNTER, 0, b"n", b"2"),
        (Op.COUNTER, CREATE_PARENTS, b"new.c", b"-7"),
        (Op.COUNTER, 0, b"l[0]", b"1"),
    )

    expected = [(1, b"42"), (2, b"-7"), (3, b"2")]
    assert answer.value == b"".join(
        struct.pack(">BHI", index, 0, len(text)) + text for index, text in expected
    )
    assert json.loads(engine.get(A).value) == {"n": 42, "l": [2], "x": 1, "new": {"c": -7}}


@pytest.mark.parametrize(
    ("extras", "there", "status"),
    [
        (b"", False, Status.NOT_FOUND),
        (UPSERT, False, Status.SUCCESS),
        (INSERT, False, Status.SUCCESS),
        (b"", True, Status.SUCCESS),
        (UPSERT, True, Status.SUCCESS),
        (INSERT, True, Status.EXISTS),
        (b"\x03", True, Status.INVALID),
    ],
)
def test_the_document_is_made_where_the_flags_say_so(
    client: Client, engine: Engine, extras: bytes, there: bool, status: Status
) -> None:
    if there:
        engine.upsert(A, Write(b"{}"))

    assert mutate(client, (Op.DICT_UPSERT, 0, b"x", b"1"), extras=extras).status == status
    assert (engine.find(A) is not None) is (there or status == Status.SUCCESS)


def test_a_stale_cas_changes_nothing(client: Client, engine: Engine) -> None:
    stale = engine.upsert(A, Write(b"{}")).cas
    now = engine.upsert(A, Write(b"{}"))

    assert mutate(client, (Op.DICT_ADD, 0, b"x", b"1"), cas=stale).status == Status.EXISTS
    assert engine.get(A) == now
    assert mutate(client, (Op.DICT_ADD, 0, b"x", b"1"), cas=now.cas).status == Status.SUCCESS


def test_a_locked_document_is_changed_by_its_holder_alone(client: Client, engine: Engine) -> None:
    engine.upsert(A, Write(b"{}"))
    held = engine.lock(A, 15).cas
    spec = (Op.DICT_ADD, 0, b"x", b"1")

    assert mutate(client, spec).status == Status.LOCKED
    assert mutate(client, spec, cas=held - 1).status == Status.LOCKED
    assert mutate(client, spec, cas=held).status == Status.SUCCESS


def test_a_change_clears_the_expiry_unless_it_is_preserved(client: Client, engine: Engine) -> None:
    engine.upsert(A, Write(b"{}", expiry=60))
    value = struct.pack(">BBHI", Op.DICT_UPSERT, 0, 1, 1) + b"x1"
    client.on(Opcode.MUTATE_IN, b"a", value=value, frames=((FrameId.PRESERVE_TTL, b""),))
    kept = engine.get(A).expiry

    client.on(Opcode.MUTATE_IN, b"a", value=value)

    assert (kept, engine.get(A).expiry) == (START + 60, 0)


def test_a_change_may_set_the_expiry(client: Client, engine: Engine) -> None:
    engine.upsert(A, Write(b"{}"))

    mutate(client, (Op.DICT_UPSERT, 0, b"x", b"1"), extras=struct.pack(">I", 60))

    assert engine.get(A).expiry == START + 60


def test_a_document_is_removed_whole(client: Client, engine: Engine) -> None:
    engine.upsert(A, Write(b"{}"))

    assert mutate(client, (Op.REMOVE_DOC, 0, b"", b"")).status == Status.SUCCESS
    assert engine.find(A) is None


def test_each_lookup_has_its_own_answer(client: Client, engine: Engine) -> None:
    engine.upsert(A, Write(b'{"a":{"b":[1,2.5,"x"]},"n":null}', flags=6, expiry=60))

    assert look(
        client,
        (Op.GET, XATTR, b"$document.exptime"),
        (Op.GET, XATTR, b"$document.flags"),
        (Op.GET, 0, b"a.b"),
        (Op.GET, 0, b"a.b[-1]"),
        (Op.EXISTS, 0, b"n"),
        (Op.EXISTS, 0, b"z"),
        (Op.GET_COUNT, 0, b"a.b"),
        (Op.GET_COUNT, 0, b"n"),
        (Op.GET, 0, b"a[0]"),
        (Op.GET, XATTR, b"mine"),
        (Op.GET_DOC, 0, b""),
    ) == [
        (0, str(int(START) + 60).encode()),
        (0, b"6"),
        (0, b'[1,2.5,"x"]'),
        (0, b'"x"'),
        (0, b""),
        (Status.PATH_NOT_FOUND, b""),
        (0, b"3"),
        (Status.PATH_MISMATCH, b""),
        (Status.PATH_MISMATCH, b""),
        (Status.PATH_NOT_FOUND, b""),
        (0, b'{"a":{"b":[1,2.5,"x"]},"n":null}'),
    ]


def test_what_is_not_json_has_no_paths(client: Client, engine: Engine) -> None:
    engine.upsert(A, Write(b"\x00\x01"))

    assert look(client, (Op.GET, 0, b"a")) == [(Status.DOC_NOT_JSON, b"")]
    answer = mutate(client, (Op.DICT_ADD, 0, b"x", b"1"))
    assert answer.value == struct.pack(">BH", 0, Status.DOC_NOT_JSON)


def test_a_document_that_is_too_deep_has_no_paths(client: Client, engine: Engine) -> None:
    engine.upsert(A, Write(b"[" * 33 + b"]" * 33))

    assert look(client, (Op.GET, 0, b"[0]")) == [(Status.DOC_TOO_DEEP, b"")]
    answer = mutate(client, (Op.ARRAY_PUSH_LAST, 0, b"", b"1"))
    assert answer.value == struct.pack(">BH", 0, Status.DOC_TOO_DEEP)


def test_many_brackets_beside_each_other_are_not_deep(client: Client, engine: Engine) -> None:
    engine.upsert(A, Write(b"[" + b",".join([b"[]"] * 40) + b"]"))

    assert look(client, (Op.GET_COUNT, 0, b"")) == [(0, b"40")]


@pytest.mark.parametrize("count", [0, 17])
def test_none_and_more_than_sixteen_paths_are_refused(
    client: Client, engine: Engine, count: int
) -> None:
    engine.upsert(A, Write(b"{}"))

    answer = mutate(client, *[(Op.DICT_UPSERT, 0, b"x", b"1")] * count)

    assert answer.status == Status.INVALID_COMBINATION


@pytest.mark.parametrize(
    "cut", [lambda value: value[:-1], lambda value: value[:3], lambda value: value + b"\xc8"]
)
def test_specs_that_are_cut_short_are_refused(
    client: Client, engine: Engine, cut: Callable[[bytes], bytes]
) -> None:
    engine.upsert(A, Write(b"{}"))
    value = struct.pack(">BBHI", Op.DICT_UPSERT, 0, 1, 1) + b"x1"

    answer = client.on(Opcode.MUTATE_IN, b"a", value=cut(value))

    assert answer.status == Status.INVALID
