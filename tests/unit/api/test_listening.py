"""A connection stops listening only when something comes that it does not want."""

from typing import Any, cast

from tornado.ioloop import IOLoop

from zerog_api.edge.listening import Handler, LazyLoop

READ, WRITE, ERROR = IOLoop.READ, IOLoop.WRITE, IOLoop.ERROR
FD = 5


class Loop:
    """The system: what it was asked for, and how it tells of an event."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self._handler: Handler | None = None

    def add_handler(self, fd: Any, handler: Handler, events: int) -> None:
        self._handler = handler
        self.asked.append(events)

    def update_handler(self, fd: Any, events: int) -> None:
        self.asked.append(events)

    def happens(self, events: int) -> None:
        assert self._handler is not None
        if events & self.asked[-1]:
            self._handler(FD, events & self.asked[-1])


def listening() -> tuple[LazyLoop, Loop, list[int]]:
    """Return a stream's loop, the system behind it, and what the stream has heard of."""
    system = Loop()
    lazy = LazyLoop(cast(IOLoop, system))
    heard: list[int] = []
    lazy.add_handler(FD, lambda _, events: heard.append(events), READ | ERROR)
    return lazy, system, heard


def test_the_system_is_not_asked_when_a_stream_stops_reading_and_reads_again() -> None:
    lazy, system, heard = listening()

    lazy.update_handler(FD, ERROR)
    lazy.update_handler(FD, READ | ERROR)
    system.happens(READ)

    assert system.asked == [READ | ERROR]
    assert heard == [READ]


def test_what_nobody_wants_to_read_is_told_once_and_waits() -> None:
    lazy, system, heard = listening()

    lazy.update_handler(FD, ERROR)
    system.happens(READ)
    system.happens(READ)

    assert (system.asked, heard) == ([READ | ERROR, ERROR], [])
    lazy.update_handler(FD, READ | ERROR)
    system.happens(READ)
    assert heard == [READ]


def test_writing_begins_and_ends_at_once() -> None:
    lazy, system, heard = listening()

    lazy.update_handler(FD, WRITE | ERROR)
    system.happens(READ | WRITE)
    lazy.update_handler(FD, ERROR)
    lazy.update_handler(FD, READ | ERROR)

    assert heard == [WRITE]
    assert system.asked == [READ | ERROR, READ | WRITE | ERROR, WRITE | ERROR, ERROR, READ | ERROR]


def test_an_error_is_heard_of_while_nothing_is_to_be_read() -> None:
    lazy, system, heard = listening()

    lazy.update_handler(FD, ERROR)
    system.happens(ERROR | READ)

    assert heard == [ERROR]


def test_the_loop_is_the_loop_in_all_else() -> None:
    _, system, _ = listening()

    assert LazyLoop(cast(IOLoop, system)).asked is system.asked
