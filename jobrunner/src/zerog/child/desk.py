"""The API's side of a process that checks the parameters of one job type by the type's class.

Each type has its own process, so a validator that hangs, crashes or is slow stops no checks but
those of its type. The process is forked at the first question and stays. Questions are sent as they
come and answered in order.

An answer is never awaited for longer than `CHECK_SECONDS`. When there is none by then, or when the
process dies, all questions that wait are answered by None, and so are the next ones for
`REST_SECONDS`. Unknown is neither valid nor invalid: the worker decides.
"""

import asyncio
import logging
import signal
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from msgspec import Struct

from zerog.child.childhandle import ChildDeath, ChildHandle
from zerog.child.protocol import CheckedFrame, CheckFrame, FromChild
from zerog.lines import PrintedLines
from zerog.model.errors import ZeroGError
from zerog.model.limits import one_line
from zerog.sdk.faults import Fault

log = logging.getLogger(__name__)

#: How long a request may wait for its check. Most take less than a millisecond.
CHECK_SECONDS = 2.0
#: How long a type is not checked after its process has failed: one that always hangs takes no more
#: than a third of a processor, and delays few requests.
REST_SECONDS = 5.0
#: A process is replaced after this many checks, so that slow leaks stay small.
CHECKS_PER_CHILD = 1000
#: How long a process that is replaced may take to leave.
_EXIT_SECONDS = 5.0

Answer = list[Fault] | None


class _Question(Struct):
    name: str
    parameters: dict[str, Any]
    asked_at: float
    answer: "asyncio.Future[Answer]"


class Desk:
    """Answers what is wrong with parameters of one type."""

    def __init__(self, type_name: str, fork: Callable[[], Awaitable[ChildHandle]]) -> None:
        self.asked_at = 0.0
        self._type = type_name
        self._fork = fork
        self._loop = asyncio.get_running_loop()
        self._names = map(str, count(1))
        self._child: ChildHandle | None = None
        self._opening: asyncio.Task[None] | None = None
        #: Those that the child has, in its order, and those that wait for another child.
        self._sent: dict[str, _Question] = {}
        self._waiting: deque[_Question] = deque()
        self._checks = 0
        self._is_worn = False
        self._printed = PrintedLines()
        self._look_again: asyncio.TimerHandle | None = None
        self._rests_until = 0.0
        self._warns_after = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return not self._sent and not self._waiting and self._opening is None

    async def ask(self, parameters: dict[str, Any]) -> Answer:
        """Return what is wrong with the parameters; None if that is unknown."""
        self.asked_at = now = self._loop.time()
        if now < self._rests_until:
            return None
        question = _Question(next(self._names), parameters, now, self._loop.create_future())
        self._waiting.append(question)
        self._send_waiting()
        self._watch()
        return await question.answer

    def close(self) -> None:
        """Let the process go, and answer whoever waits."""
        if self._opening is not None:
            self._opening.cancel()
        self._answer_all()
        self._let_go()

    def _send_waiting(self) -> None:
        if self._opening is not None:
            return
        if self._is_worn or self._child is None or not self._child.usable:
            if not self._sent:  # else its answers come first, or its death
                self._let_go()
                self._opening = self._loop.create_task(self._open(), name=f"check-{self._type}")
            return
        while self._waiting:
            question = self._waiting.popleft()
            try:
                self._child.send(CheckFrame(question.name, self._type, question.parameters))
            except ValueError:  # no JSON form, or too large for a frame
                _answer(question, None)
            else:
                self._sent[question.name] = question

    async def _open(self) -> None:
        try:
            self._child = await self._fork()
        except ZeroGError as error:
            self._give_up(str(error))
            return
        finally:
            self._opening = None
        self._checks, self._is_worn, self._printed = 0, False, PrintedLines()
        self._child.on_frame, self._child.on_death = self._take, self._died
        self._child.on_printed = self._take_printed
        self._send_waiting()

    def _take(self, frame: FromChild) -> None:
        question = self._sent.pop(frame.run, None) if isinstance(frame, CheckedFrame) else None
        if question is None or not isinstance(frame, CheckedFrame):
            self._give_up("its process sends what nobody has asked for")
            return
        if frame.faults is None:
            self._warn(frame.reason)
        _answer(question, frame.faults)
        self._checks += 1
        self._is_worn |= frame.spoiled or self._checks >= CHECKS_PER_CHILD
        if self._waiting:
            self._send_waiting()

    def _take_printed(self, data: bytes) -> None:
        for line in filter(None, self._printed.feed(data)):
            log.info("a check of %s prints: %s", self._type, line)

    def _died(self, death: ChildDeath) -> None:
        if self.is_idle:  # killed from outside, or its nursery is gone: the type did nothing
            self._let_go()
            return
        self._give_up(death.reason or f"its process ended with exit code {death.exitcode}")

    def _watch(self) -> None:
        oldest = next(iter(self._sent.values()), None) or next(iter(self._waiting), None)
        if self._look_again is None and oldest is not None:
            self._look_again = self._loop.call_at(oldest.asked_at + CHECK_SECONDS, self._look)

    def _look(self) -> None:
        self._look_again = None
        late = self._loop.time() - CHECK_SECONDS
        if any(each.asked_at <= late for each in (*self._sent.values(), *self._waiting)):
            self._give_up(f"no answer within {CHECK_SECONDS:g} s")
        else:
            self._watch()

    def _give_up(self, why: str) -> None:
        self._rests_until = self._loop.time() + REST_SECONDS
        self._warn(f"{why}; the next checks are left out for {REST_SECONDS:g} s")
        self._answer_all()
        if self._child is not None:
            self._child.kill(signal.SIGKILL)
        self._let_go()

    def _answer_all(self) -> None:
        for question in (*self._sent.values(), *self._waiting):
            _answer(question, None)
        self._sent.clear()
        self._waiting.clear()
        if self._look_again is not None:
            self._look_again.cancel()
            self._look_again = None

    def _let_go(self) -> None:
        if self._child is not None:
            self._child.discard(_EXIT_SECONDS)
            self._child = None

    def _warn(self, why: str) -> None:
        """Write into the log, not more often than a person reads."""
        if self._loop.time() >= self._warns_after:
            self._warns_after = self._loop.time() + REST_SECONDS
            log.warning("parameters of %s are left to its worker: %s", self._type, one_line(why))


def _answer(question: _Question, answer: Answer) -> None:
    if not question.answer.done():  # the client may have gone
        question.answer.set_result(answer)
