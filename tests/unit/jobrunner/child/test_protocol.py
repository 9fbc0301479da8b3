"""Frames, however their bytes arrive, and what is not one."""

import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerog.child.protocol import (
    MAX_CHECKED_BYTES,
    MAX_FRAME_BYTES,
    MAX_SMALL_BYTES,
    CheckedFrame,
    EndFrame,
    FrameError,
    FrameReader,
    FromChild,
    LineFrame,
    ProgressFrame,
    ReceivedByChild,
    ReceivedRun,
    RunFrame,
    StateFrame,
    encode,
)
from zerog.model import jsontext
from zerog.model.events import Returned
from zerog.model.limits import (
    MAX_DATA_BYTES,
    MAX_LINE_CHARS,
    MAX_LINE_DATA_BYTES,
    MAX_STATE_BYTES,
)
from zerog.model.record import new_job_id
from zerog.sdk.faults import MAX_FAULTS, MAX_MESSAGE_CHARS, MAX_PATH_CHARS, Fault

FRAMES = [
    ProgressFrame("a:1", 0.5),
    EndFrame("a:1", Returned(1, 200, {"a": [1, None, "ü"]}, state="{}")),
    ProgressFrame("b:1", 1.0),
]


LINE = b'{"op":"line","run":"a:1","seq":0,"time":"2026-01-01T00:00:00Z","level":'


def reader() -> FrameReader[FromChild]:
    return FrameReader(FromChild)


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


@given(st.lists(st.integers(1, 40)))
def test_frames_arrive_whole_however_they_are_cut(sizes: list[int]) -> None:
    data, fed, taken = b"".join(map(encode, FRAMES)), reader(), []

    for size in [*sizes, MAX_FRAME_BYTES]:
        taken += list(fed.feed(data[:size]))
        data = data[size:]

    assert taken == FRAMES


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\xff\xff\xff\xff",
        framed(b"{}"),
        framed(b"[]"),
        framed(b"not JSON"),
        framed(b'{"op":"unknown"}'),
        framed(b'{"op":"progress","run":"a:1","completeness":2}'),
        framed(b'{"op":"progress","run":"a:1","completeness":NaN}'),
        framed(b'{"op":"line","run":"a:1","seq":-1,"time":"2026-01-01T00:00:00Z","level":"info",'
               b'"message":""}'),
        framed(b'{"op":"end","run":"a:1","end":{"event":"returned","attempt":1,"code":"404"}}'),
        framed(b'{"op":"end","run":"a:1","end":{"event":"continued","attempt":1,'
               b'"delaySeconds":5e9}}'),
        framed(b'{"op":"end","run":"a:1","end":{"event":"returned","attempt":1,"data":1'
               + b"0" * 5000 + b"}}"),
        framed(LINE + b'"info"}'),  # without a message
        framed(LINE.replace(b'"level":', b'"message":"a"}')),  # without a level
        framed(LINE + b'"debug","message":"a"}'),
        framed(LINE + b'"info","message":7}'),
        framed(LINE + b'"info","message":"\\ud800"}'),
        framed(LINE + b'"info","message":"\xff"}'),
        framed(LINE.replace(b"2026", b"0001") + b'"info","message":"a"}'),
        framed(LINE.replace(b"2026", b"9999") + b'"info","message":"a"}'),
        framed(LINE + b'"info","message":"a","data":{"a":1}}'),
        framed(LINE + b'"info","message":"a","data":"[1]"}'),
        framed(LINE + b'"info","message":"a","data":"{\\"a\\":1e999}"}'),
        framed(LINE + b'"info","message":"a","data":"{\\"a\\":1,}"}'),
        framed(LINE + b'"info","message":"a","data":"{\\"a\\":\\n1}"}'),
        framed(LINE + b'"info","message":"a","data":"{\\"a\\":' + b"[" * 300 + b"]" * 300 + b'}"}'),
        framed(LINE + b'"info","message":"%s"}' % (b"x" * 5000)),
        framed(LINE + b'"info","message":"a","data":"{\\"a\\":%s}"}' % (b"1" * 17_000)),
        framed(b'{"op":"progress","run":"%s","completeness":1}' % (b"x" * 5000)),
        framed(b'{"op":"state","run":"a:1","state":{}}'),
        framed(b'{"op":"state","run":"a:1","state":""}'),
        framed(b'{"op":"state","run":"a:1","state":"[]"}'),
        framed(b'{"op":"state","run":"a:1","state":"{},{}"}'),
        framed(b'{"op":"state","run":"a:1","state":"{}],[{}"}'),
        framed(b'{"op":"state","run":"a:1","state":"{' + b"[" * 60 + b"]],[[" + b"]" * 60 + b'}"}'),
        framed(b'{"op":"state","run":"a:1","state":"{\\"a\\":NaN}"}'),
        framed(b'{"op":"state","run":"a:1","state":"{\\"a\\":'
               + b"[" * 300 + b"]" * 300 + b'}"}'),
        framed(b'{"op":"state","run":"a:1","state":"{\\"a\\":\\"%s\\"}"}'
               % ("\u00fc" * (MAX_STATE_BYTES // 2)).encode()),
        framed(b'{"op":"end","run":"a:1","end":{"event":"stopped","attempt":1,"state":{}}}'),
        framed(b'{"op":"end","run":"a:1","end":{"event":"stopped","attempt":1,"state":"[]"}}'),
        framed(b'{"op":"end","run":"a:1","end":{"event":"returned","attempt":1,"code":1%s}}'
               % (b"0" * 40)),
        framed(b'{"op":"end","run":"a:1","end":{"event":"returned","attempt":-1}}'),
        framed(b'{"op":"end","run":"a:1","end":{"event":"raised","attempt":1,"message":"%s"}}'
               % (b"x" * 3000)),
        framed(b'{"op":"end","run":"a:1","end":{"event":"stopped","attempt":1},"rssBytes":1%s}'
               % (b"0" * 40)),
        framed(b'{"op":"end","run":"a:1","end":{"event":"stopped","attempt":1},"spoiled":"%s"}'
               % (b"x" * 5000)),
        framed(b'{"op":"end","run":"a:1","end":{"event":"stopped","attempt":1,"state":'
               b'"{\\"a\\":\\"%s\\"}"}}' % (b"x" * 2 * MAX_STATE_BYTES)),
        framed(b'{"op":"end","run":"a:1","end":{"event":"returned","attempt":1,"data":"%s"}}'
               % (b"x" * MAX_DATA_BYTES)),
        framed(b'{"op":"end","run":"a:1","end":{"event":"returned","attempt":1,"data":'
               + b"[" * 100_000 + b"]" * 100_000 + b"}}"),
    ],
)  # fmt: skip
def test_frames_before_one_that_does_not_fit_are_still_read(nonsense: bytes) -> None:
    frames = reader().feed(encode(FRAMES[0]) + nonsense)

    assert next(frames) == FRAMES[0]
    with pytest.raises(FrameError):
        next(frames)


@pytest.mark.parametrize(
    ("begin", "length"),
    [
        (b'{"op":"line","run":"a:1",', MAX_SMALL_BYTES + 1),
        (b'{"op":"progress","run":"a', MAX_SMALL_BYTES + 1),
        (b'{"run":"a:1","op":"end", ', MAX_SMALL_BYTES + 1),
        (b'{"op":"ended","run":"a:1"', MAX_SMALL_BYTES + 1),
        (b'{"op":"state","run":"a:1"', StateFrame.max_bytes + 1),
        (b'{"op":"end","run":"a:1", ', MAX_FRAME_BYTES + 1),
    ],
)
def test_a_frame_that_is_too_long_for_its_type_is_refused_before_it_is_held(
    begin: bytes, length: int
) -> None:
    with pytest.raises(FrameError, match=f"a frame of {length} bytes"):
        list(reader().feed(struct.pack(">I", length) + begin))


def test_the_longest_line_and_the_longest_state_fit() -> None:
    data = jsontext.dumps({"a": '"' * ((MAX_LINE_DATA_BYTES - 8) // 2)}).decode()
    line = LineFrame("a:1", 0, datetime.now(UTC), "info", "\x01" * MAX_LINE_CHARS, data)
    state = StateFrame("a:1", jsontext.dumps({"a": '"' * ((MAX_STATE_BYTES - 8) // 2)}).decode())

    assert (len(data), len(state.state)) == (MAX_LINE_DATA_BYTES, MAX_STATE_BYTES)
    assert list(reader().feed(encode(line) + encode(state))) == [line, state]


def test_a_frame_is_read_once_even_if_its_reader_fails() -> None:
    fed = reader()
    frames = fed.feed(b"".join(map(encode, FRAMES)))
    next(frames)

    del frames  # as an exception in its loop would

    assert list(fed.feed(b"")) == FRAMES[1:]


@pytest.mark.parametrize(
    "value",
    [object(), "\udcff", "x" * (MAX_FRAME_BYTES + 1), {object(): 1}],
    ids=["object", "surrogate", "large", "key"],
)
def test_what_cannot_be_sent_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON|more than"):
        encode(EndFrame("a:1", Returned(1, 200, value)))


def test_parameters_reach_the_child_as_they_were_written() -> None:
    uuid = new_job_id()
    frame = RunFrame("a:1", uuid, 1, "It", {"n": 2**70, "text": "ü"})
    fed: FrameReader[ReceivedByChild] = FrameReader(ReceivedByChild)

    (received,) = fed.feed(encode(frame))

    assert isinstance(received, ReceivedRun)
    assert bytes(received.parameters) == b'{"n":1180591620717411303424,"text":"\xc3\xbc"}'


def test_the_longest_answer_to_a_check_fits_and_a_longer_frame_does_not() -> None:
    widest = "\U0001f600"
    fault = Fault(widest * MAX_PATH_CHARS, widest * MAX_MESSAGE_CHARS)
    longest = CheckedFrame("1", [fault] * MAX_FAULTS, widest * 2000)
    fed: FrameReader[FromChild] = FrameReader(FromChild, MAX_CHECKED_BYTES)

    assert list(fed.feed(encode(longest))) == [longest]
    with pytest.raises(FrameError, match="a frame of"):
        list(fed.feed(struct.pack(">I", MAX_CHECKED_BYTES + 1)))
