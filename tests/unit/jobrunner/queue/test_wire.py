"""beanstalkd's protocol, byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerog.model.errors import QueueRefusedError
from zerog.queue.beanstalk import wire

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
    "data", [b"x" * 2000, b"RESERVED 1\r\n", b"OK x\r\n", b"OK -1\r\n", b"OK 1\r\nabc"]
)
def test_what_beanstalkd_never_says_is_refused(data: bytes) -> None:
    with pytest.raises(wire.ProtocolError):
        wire.ReplyReader().feed(data)


def test_commands_are_encoded_as_the_protocol_says() -> None:
    assert wire.encode_put(b"ab", 5, 3, 60) == b"put 500 3 60 2\r\nab\r\n"
    assert wire.encode_release(4, 0, 9) == b"release 4 0 9\r\n"
    assert wire.encode("watch", "t") == b"watch t\r\n"


@pytest.mark.parametrize("priority", range(10))
def test_priorities_are_mapped_and_kept(priority: int) -> None:
    assert wire.from_server_priority(wire.to_server_priority(priority)) == priority


def test_foreign_priorities_are_clamped() -> None:
    assert wire.from_server_priority(2**32 - 1) == 9


@pytest.mark.parametrize("delay", [-1, 2**32])
def test_impossible_delays_are_refused(delay: int) -> None:
    with pytest.raises(ValueError, match="delay"):
        wire.encode_release(1, 5, delay)


@pytest.mark.parametrize("word", [b"DRAINING", b"JOB_TOO_BIG", b"OUT_OF_MEMORY"])
def test_refusals_are_told_from_other_errors(word: bytes) -> None:
    with pytest.raises(QueueRefusedError):
        wire.check(wire.Reply(word), b"INSERTED")


def test_stats_are_read() -> None:
    assert wire.parse_mapping(b'---\nname: "a"\nid: 5\n') == {"name": "a", "id": "5"}
    assert wire.parse_list(b"---\n- default\n- x\n") == ["default", "x"]
