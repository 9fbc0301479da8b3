"""Call a job's `run` and say how it ended. Nothing that a job raises or returns passes through.

A process that `run` forked, and that leaves it again, ends here without a word: only the job's own
process reports.
"""

import asyncio
import contextlib
import inspect
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

import msgspec

from zerog.model.events import Continued, Raised, Returned, RunEnd, Stopped
from zerog.model.limits import MAX_DATA_BYTES, one_line, read_seconds
from zerog.model.record import JobState
from zerog.sdk import signals
from zerog.sdk.context import Context, final_state, log_end
from zerog.sdk.job import Job
from zerog.sdk.signals import Continue, Finish, Result, Retry, check_code
from zerog.sdk.text import describe, to_text, trace
from zerog.sdk.values import NoJsonFormError, json_text

#: The code of a job whose output cannot be kept.
FAILED = 500

#: A task of a job that runs for this long without giving way is interrupted.
BLOCKED_SECONDS = 0.2

S = TypeVar("S")
Kind = Literal["returned", "continue", "retry", "finish", "raised", "cancelled"]


class Invocation:
    """One call of a job's `run`."""

    def __init__(self, job: Job, context: Context) -> None:
        self._job = job
        self._context = context
        self._process = os.getpid()
        self._is_running = False
        self._asked_to_stop: signals.Stopped | None = None
        self._is_cancelled = False
        self._call_again: threading.Timer | None = None
        #: How `run` was left.
        self.kind: Kind = "raised"

    def run(self) -> RunEnd:
        """Run the job to its end. The caller that made the context closes it afterwards."""
        try:
            end = self._run()
        except signals.Stopped:  # it came after `run`, and before the end was put together
            self._is_running = False
            end = self._stopped()
        if self._call_again is not None:
            self._call_again.cancel()
            self._call_again.join()
        return end

    def stop(self, error: signals.Stopped) -> None:
        """End the job, from the handler of SIGTERM in the main thread.

        Raises the error where the job stands. In an event loop, which may swallow what a handler
        raises, the task that it runs for is cancelled instead.
        """
        if not self._is_running:
            return
        is_first = self._asked_to_stop is None
        self._asked_to_stop = self._asked_to_stop or error
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            if is_first:
                raise error from None
            return
        current = asyncio.current_task(loop)
        if is_first and current is not None and _is_root(current):
            raise asyncio.CancelledError  # its code runs, and may block
        if is_first:
            loop.call_soon_threadsafe(self._cancel, loop)
            if current is not None:
                self._call_again = threading.Timer(BLOCKED_SECONDS, _terminate)
                self._call_again.start()
        elif current is not None and not self._is_cancelled:
            # It blocks. The rest follows when it has cleaned up: a second cancel would disturb it.
            self._is_cancelled = True
            current.add_done_callback(lambda _: self._cancel_roots(loop))
            raise asyncio.CancelledError

    def _cancel(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_cancelled:
            self._is_cancelled = True
            self._cancel_roots(loop)

    @staticmethod
    def _cancel_roots(loop: asyncio.AbstractEventLoop) -> None:
        """Cancel what the loop runs for; it cancels what it waits for, in its own order."""
        tasks = asyncio.all_tasks(loop)
        for task in [task for task in tasks if _is_root(task)] or tasks:
            task.cancel()

    def _run(self) -> RunEnd:
        self._is_running = True
        try:
            result = self._call()
            self._is_running = False
            return self._end_of_result(result)
        except Retry as signal:
            self._is_running = False
            return self._checked(self._end_of_retry, signal)
        except Finish as signal:
            self._is_running = False
            return self._checked(self._end_of_finish, signal)
        except signals.Stopped:
            self._is_running = False
            return self._stopped()
        # Also SystemExit and KeyboardInterrupt: a job that calls sys.exit ends itself, not its
        # process.
        except BaseException as error:
            self._is_running = False
            if isinstance(error, asyncio.CancelledError) and self._asked_to_stop is not None:
                return self._stopped()
            return self._raised(error)

    def _call(self) -> Any:
        code = 1
        try:
            result = self._job.run(self._context)
            if inspect.isawaitable(result):
                with asyncio.Runner() as runner:
                    return runner.run(self._await(result))
            code = 0
            return result
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
            raise
        finally:
            self._end_if_forked(code)

    async def _await(self, result: Awaitable[Any]) -> Any:
        code = 1
        try:
            data = await result
            code = 0
            return data
        finally:
            # Here, because a fork shares the loop's files with the job's own process.
            self._end_if_forked(code)

    def _end_if_forked(self, code: int) -> None:
        if os.getpid() != self._process:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(BaseException):
                    stream.flush()
            os._exit(code & 0xFF)

    def _end_of_result(self, result: Any) -> RunEnd:
        match result:
            case Continue():
                return self._checked(self._end_of_continue, result)
            case Result():
                return self._checked(self._end_of_returned, result)
            case _:
                return self._checked(self._end_of_returned, Result(result))

    def _checked(self, make: Callable[[S], RunEnd], signal: S) -> RunEnd:
        """Make the end; what cannot be kept fails the job once and for all, and its log says why.

        To run it again would do the same work for the same result.
        """
        try:
            return make(signal)
        except BaseException as error:  # an author's subclass of a signal may do anything
            reason = str(error) if isinstance(error, NoJsonFormError) else describe(error)
            message = one_line(to_text(f"what run returned cannot be kept: {reason}"))
            log_end(self._context, message or "", None)
            return Returned(self._context.attempt, FAILED, None, message)

    def _end_of_continue(self, result: Continue) -> Continued:
        self.kind = "continue"
        delay = read_seconds(result.delay_seconds)
        return Continued(self._context.attempt, delay, self._state())

    def _end_of_returned(self, result: Result) -> Returned:
        self.kind = "returned"
        return self._ended(check_code(result.code), result.data)

    def _end_of_finish(self, signal: Finish) -> Returned:
        self.kind = "finish"
        return self._ended(check_code(signal.code), signal.data, signal.message)

    def _ended(self, code: int, data: Any, message: str | None = None) -> Returned:
        raw: msgspec.Raw | None = None
        if data is not None:
            text = json_text(data, "output")
            if len(text) > MAX_DATA_BYTES:
                raise NoJsonFormError(
                    f"the output has {len(text)} bytes, at most {MAX_DATA_BYTES} are allowed"
                )
            raw = msgspec.Raw(text)
        return Returned(self._context.attempt, code, raw, one_line(to_text(message)), self._state())

    def _end_of_retry(self, signal: Retry) -> Raised:
        self.kind = "retry"
        delay = None if signal.delay_seconds is None else read_seconds(signal.delay_seconds)
        message = one_line(to_text(signal.message)) or "asked for a retry"
        state, message = self._state_or_complaint(message)
        return Raised(self._context.attempt, message, delay, state)

    def _raised(self, error: BaseException) -> Raised:
        message = one_line(describe(error)) or type(error).__name__
        log_end(self._context, message, trace(error))
        state, message = self._state_or_complaint(message)
        return Raised(self._context.attempt, message, None, state)

    def _stopped(self) -> Stopped:
        self.kind = "cancelled"
        state, _ = self._state_or_complaint("")
        return Stopped(self._context.attempt, state)

    def _state(self) -> JobState | None:
        return final_state(self._context)

    def _state_or_complaint(self, message: str) -> tuple[JobState | None, str]:
        try:
            return self._state(), message
        except Exception as error:
            if describe(error) == message:  # it is why `run` failed
                return None, message
            log_end(self._context, f"the state cannot be kept: {describe(error)}", None)
            return None, one_line(f"{message} (and {describe(error)})") or message


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _is_root(task: "asyncio.Task[Any]") -> bool:
    """Whether `run_until_complete` waits for this task, asyncio's or uvloop's."""
    waiting = getattr(task, "_callbacks", None) or ()
    return any(
        "run_until_complete" in getattr(callback, "__qualname__", "") for callback, _ in waiting
    )
