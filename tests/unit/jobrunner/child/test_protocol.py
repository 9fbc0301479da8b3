"""Frames, however their bytes arrive, and what is not one."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerog.child.protocol import (
    MAX_CHECKED_BYTES,
    MAX_FRAME_BYTES,
    CheckedFrame,
    EndFrame,
    FrameError,
    FrameReader,
    FromChild,
    ProgressFrame,
    ReceivedByChild,
    ReceivedRun,
    RunFrame,
    encode,
)
from zerog.model.events import Returned
from zerog.model.record import new_job_id
from zerog.sdk.faults import MAX_FAULTS, MAX_MESSAGE_CHARS, MAX_PATH_CHARS, Fault

FRAMES = [
    ProgressFrame("a:1", 0.5),
    EndFrame("a:1", Returned(1, 200, {"a": [1, None, "ü"]}, state={})),
    ProgressFrame("b:1", 1.0),
]


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
        framed(b'{"op":"end","run":"a:1","end":{"event":"returned","attempt":1,"data":'
               + b"[" * 100_000 + b"]" * 100_000 + b"}}"),
    ],
)  # fmt: skip
def test_frames_before_one_that_does_not_fit_are_still_read(nonsense: bytes) -> None:
    frames = reader().feed(encode(FRAMES[0]) + nonsense)

    assert next(frames) == FRAMES[0]
    with pytest.raises(FrameError):
        next(frames)


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
