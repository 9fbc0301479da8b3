"""The child's end of the pipe: nothing blocks the job, nothing is broken by a signal."""

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from zerog.child.pipe import Pipe, Shield
from zerog.child.protocol import (
    CancelFrame,
    EndFrame,
    FrameReader,
    FromChild,
    LineFrame,
    ProgressFrame,
    StateFrame,
    encode,
)
from zerog.model.documents import LogLine
from zerog.model.events import Returned
from zerog.model.limits import MAX_LOG_BYTES
from zerog.sdk.context import Context

END = EndFrame("a:1", Returned(1))


class Ends:
    """A pipe and the worker's end of it."""

    def __init__(self) -> None:
        self.worker, child = socket.socketpair()
        self.shield = Shield()
        self.pipe = Pipe(child, self.shield)
        self.pipe.begin("a:1")
        self._child = child
        self._reader: FrameReader[FromChild] = FrameReader(FromChild)

    def received(self) -> list[FromChild]:
        self.worker.setblocking(False)
        try:
            return list(self._reader.feed(self.worker.recv(2**24)))
        except BlockingIOError:
            return []

    def close(self) -> None:
        self.worker.close()
        self._child.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    opened = Ends()
    yield opened
    opened.close()


def line(seq: int, message: str = "x") -> LogLine:
    return LogLine(seq, datetime.now(UTC), "info", message)


def test_reports_go_out_at_once(ends: Ends) -> None:
    ends.pipe.progress(0.5)
    ends.pipe.save_state('{"a":1}')
    written = line(0)
    ends.pipe.line(written)

    assert ends.received() == [
        ProgressFrame("a:1", 0.5),
        StateFrame("a:1", '{"a":1}'),
        LineFrame("a:1", 0, written.time, "info", "x"),
    ]


def test_a_worker_that_does_not_read_blocks_no_report(ends: Ends) -> None:
    for seq in range(200):
        ends.pipe.line(line(seq, "x" * 4000))
        ends.pipe.save_state(f'{{"a":"{"y" * 60_000}"}}')
        ends.pipe.progress(0.5)

    # Lines are all kept; of states and of completeness the last one is.
    frames = ends.received()
    while len([frame for frame in frames if isinstance(frame, LineFrame)]) < 200:
        frames += ends.received()
    ends.pipe.finish(END)
    frames += ends.received()
    states = [frame for frame in frames if isinstance(frame, StateFrame)]
    assert len(states) < 100
    assert frames[-1] == END


def test_a_job_that_logs_without_end_to_a_worker_that_does_not_read_stays_small(
    ends: Ends,
) -> None:
    context = Context(ends.pipe, uuid="a")

    for _ in range(3 * MAX_LOG_BYTES // 14_000):
        context.info("x", rows='"' * 7000)
        context.set_completeness(0.5)
        context.save_state()

    # The data of a line is a text in a text: each of its quotes takes two bytes.
    assert len(ends.pipe._buffer) < 3 * MAX_LOG_BYTES


def test_a_finalizer_that_logs_while_a_thread_sends_does_not_wait_for_one_that_logs(
    ends: Ends,
) -> None:
    context = Context(ends.pipe, uuid="a")
    logs, sends = threading.Event(), threading.Event()
    send = ends.pipe.line

    def line_after_a_moment(line: LogLine) -> None:
        logs.set()
        sends.wait(0.2)
        send(line)

    def log_while_sending() -> None:
        logs.wait(10)
        with ends.pipe.lock:  # as in any report
            sends.set()
            context.info("finalizer")

    ends.pipe.line = line_after_a_moment  # type: ignore[method-assign]
    threads = [
        threading.Thread(target=target, daemon=True)
        for target in (lambda: context.info("job"), log_while_sending)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert not any(thread.is_alive() for thread in threads)
    told = [frame.message for frame in ends.received() if isinstance(frame, LineFrame)]
    assert told == ["job", "finalizer"]


def test_a_cancel_is_of_its_run_only(ends: Ends) -> None:
    ends.worker.sendall(encode(CancelFrame("b:1", "cancel")))
    assert not ends.pipe.cancelled()

    ends.worker.sendall(encode(CancelFrame("a:1", "timeout")))
    assert ends.pipe.cancelled()
    assert ends.pipe.why() == "timeout"

    ends.pipe.begin("c:1")
    assert not ends.pipe.cancelled()


def test_a_run_without_a_worker_is_cancelled(ends: Ends) -> None:
    ends.worker.close()

    assert ends.pipe.why() == "the worker is gone"


def test_what_a_signal_does_waits_until_the_shield_is_left() -> None:
    shield, done = Shield(), []

    with shield, shield:
        shield.do_or_hold(lambda: done.append("held"))
        assert done == []
    shield.do_or_hold(lambda: done.append("at once"))

    assert done == ["held", "at once"]


def test_what_is_held_can_be_dropped() -> None:
    shield, done = Shield(), []

    with shield:
        shield.do_or_hold(lambda: done.append("held"))
        shield.drop()

    assert done == []


def test_the_end_follows_what_was_reported(ends: Ends) -> None:
    ends.pipe.progress(0.1)
    ends.pipe.progress(0.2)
    ends.pipe.finish(END)

    assert ends.received() == [ProgressFrame("a:1", 0.1), ProgressFrame("a:1", 0.2), END]


def test_an_end_that_cannot_be_sent_leaves_the_pipe_as_it_was(ends: Ends) -> None:
    with pytest.raises(ValueError, match="JSON"):
        ends.pipe.finish(EndFrame("a:1", Returned(1, data=object())))
    ends.pipe.finish(END)

    assert ends.received() == [END]
