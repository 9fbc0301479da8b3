"""beanstalkd's protocol, byte by byte."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zerog.model.errors import InvalidTubeNameError, QueueRefusedError
from zerog.model.limits import MAX_ENTRY_ID
from zerog.queue.beanstalk import wire
from zerog.queue.port import MAX_TUBES

STREAM = (
    b"INSERTED 7\r\nRESERVED 1 4\r\nb\r\ny\r\nTIMED_OUT\r\nOK 5\r\n---\r\n\r\nFOUND 2 0\r\n\r\n"
)
REPLIES = [
    wire.Reply(b"INSERTED", (b"7",)),
    wire.Reply(b"RESERVED", (b"1", b"4"), b"b\r\ny"),
    wire.Reply(b"TIMED_OUT"),
    wire.Reply(b"OK", (b"5",), b"---\r\n"),
    wire.Reply(b"FOUND", (b"2", b"0"), b""),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_replies_are_the_same_however_the_bytes_arrive(cuts: list[int]) -> None:
    reader = wire.ReplyReader()
    edges = [0, *sorted(cuts), len(STREAM)]

    replies = [
        reply
        for start, end in zip(edges, edges[1:], strict=False)
        for reply in reader.feed(STREAM[start:end])
    ]

    assert replies == REPLIES


@given(st.binary(max_size=300))
def test_hostile_bytes_are_replies_or_a_protocol_error(data: bytes) -> None:
    try:
        wire.ReplyReader().feed(data)
    except wire.ProtocolError:
        pass


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 2000,
        b"x" * 2000 + b"\r\n",
        b"OK " + b"9" * 99 + b"\r\n",
        b"RESERVED 1\r\n",
        b"OK x\r\n",
        b"OK -1\r\n",
        b"OK 1\r\nabc",
    ],
)
def test_what_beanstalkd_never_says_is_refused(data: bytes) -> None:
    with pytest.raises(wire.ProtocolError):
        wire.ReplyReader().feed(data)


def test_commands_are_encoded_as_the_protocol_says() -> None:
    assert wire.encode_put("ab", 5, 3) == b"put 500 3 60 2\r\nab\r\n"
    assert wire.encode_release(4, 0, 9) == b"release 4 0 9\r\n"
    assert wire.encode("watch", "t") == b"watch t\r\n"


@pytest.mark.parametrize("priority", range(10))
def test_priorities_are_mapped_and_kept(priority: int) -> None:
    assert wire.from_server_priority(wire.to_server_priority(priority)) == priority


def test_foreign_priorities_are_clamped() -> None:
    assert wire.from_server_priority(2**32 - 1) == 9


@given(st.integers(), st.integers(), st.integers(), st.text())
@example(1, 5, 5 * 10**9, "")
@example(10**5000, -(10**5000), 10**5000, "\ud800")
def test_whatever_a_document_holds_can_be_encoded(
    entry_id: int, priority: int, delay: int, body: str
) -> None:
    command = wire.encode_release(entry_id, priority, delay)
    put = wire.encode_put(body, priority, delay)

    _, number, server_priority, server_delay = map(int, command.replace(b"release", b"0").split())
    assert 0 <= number < 2**64
    assert 0 <= server_priority <= 900
    assert 0 <= server_delay < 2**32
    assert put.count(b"\r\n") == 2 + body.count("\r\n")


def test_a_delay_or_an_id_that_is_possible_is_kept() -> None:
    assert wire.encode_release(MAX_ENTRY_ID, 5, 2**32 - 1) == b"release %d 500 %d\r\n" % (
        MAX_ENTRY_ID,
        2**32 - 1,
    )


@pytest.mark.parametrize("delay", [1.5, float("inf"), float("nan"), "1", None])
def test_a_delay_that_is_not_a_whole_number_is_a_mistake_in_the_program(delay: Any) -> None:
    with pytest.raises(AssertionError, match="not a whole number"):
        wire.encode_release(1, 5, delay)


@pytest.mark.parametrize("tube", ["", "a b", "a\r\ndelete 1", "-a", "ü", "a" * 201, "\ud800"])
def test_what_cannot_be_a_tube_is_refused_before_it_is_sent(tube: str) -> None:
    with pytest.raises(InvalidTubeNameError):
        wire.encode_tube("use", tube)


def test_a_server_is_the_same_for_clients_that_read_its_id_as_a_number() -> None:
    facts = {"version": "1.12", "uptime": 1, "binlog-current-index": 0}

    ids = {wire.server_stats({**facts, "id": value}).id for value in ("0012", 12)}

    assert ids == {"12"}


@pytest.mark.parametrize("word", [b"DRAINING", b"JOB_TOO_BIG", b"OUT_OF_MEMORY"])
def test_refusals_are_told_from_other_errors(word: bytes) -> None:
    with pytest.raises(QueueRefusedError):
        wire.check(wire.Reply(word), b"INSERTED")


def test_stats_are_read() -> None:
    assert wire.parse_mapping(b'---\nname: "a"\nid: 5\n') == {"name": "a", "id": "5"}
    assert wire.parse_list(b"---\n- default\n- x\n") == ["default", "x"]


def test_of_very_many_tubes_only_the_first_are_read() -> None:
    body = b"---\n" + b"".join(b"- tube%d\n" % number for number in range(2 * MAX_TUBES))

    found = wire.parse_list(body)

    assert (len(found), found[0], found[-1]) == (MAX_TUBES, "tube0", f"tube{MAX_TUBES - 1}")


def test_an_id_that_no_record_can_note_is_not_beanstalkds() -> None:
    with pytest.raises(wire.ProtocolError):
        wire.read_id(wire.Reply(b"INSERTED", (b"%d" % (MAX_ENTRY_ID + 1),)))
