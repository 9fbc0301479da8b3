"""How a run ends, whatever `run` raises or returns."""

import asyncio
import os
import sys
import types
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

import pytest

import zerog
import zerog.testing
from zerog.model.events import Continued, Raised, Returned
from zerog.model.limits import MAX_DATA_BYTES, MAX_MESSAGE_CHARS, MAX_STATE_BYTES
from zerog.sdk.signals import Stopped

Body = Callable[[zerog.Context], Any]


class Anything(zerog.Job):
    """Do what the test wants."""

    __abstract__ = True
    body: ClassVar[Body]

    def run(self, ctx: zerog.Context) -> Any:
        return type(self).body(ctx)


def run(body: Body, **how: Any) -> zerog.testing.Run:
    made = types.new_class("Made", (Anything,), exec_body=lambda namespace: namespace.update(
        {"__abstract__": True, "__module__": __name__, "body": staticmethod(body)}
    ))  # fmt: skip
    return zerog.testing.run(made(), **how)


def throw(error: BaseException) -> Body:
    def body(ctx: zerog.Context) -> None:
        raise error

    return body


class EvilError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("evil")

    __repr__ = __str__


class ExitingError(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


class OwnBaseError(BaseException):
    pass


class HollowFinish(zerog.Finish):
    def __init__(self) -> None:
        pass


def test_what_run_returns_is_the_data() -> None:
    done = run(lambda ctx: {"made": (1, 2)})

    assert (done.kind, done.data, done.code) == ("returned", {"made": [1, 2]}, 200)


def test_a_result_has_its_own_code() -> None:
    done = run(lambda ctx: zerog.Result([1], 207))

    assert (done.kind, done.data, done.code) == ("returned", [1], 207)


def test_a_continuation_keeps_the_state() -> None:
    def body(ctx: zerog.Context) -> Any:
        ctx.state["step"] += 1
        return zerog.Continue(timedelta(minutes=5))

    done = run(body, state={"step": 1})

    assert done.kind == "continue"
    assert isinstance(done.end, Continued)
    assert done.end.delay_seconds == 300
    assert done.state == {"step": 2}


def test_a_retry_has_its_delay_and_message() -> None:
    done = run(throw(zerog.Retry(10, ValueError("why"))), attempt=3)

    assert done.kind == "retry"
    assert done.end == Raised(3, "ValueError: why", 10.0)


def test_a_finish_has_its_code_message_and_data() -> None:
    done = run(throw(zerog.Finish(422, "why", [1])))

    assert (done.kind, done.code, done.message, done.data) == ("finish", 422, "why", [1])


@pytest.mark.parametrize("error", [zerog.Cancelled(), zerog.TimedOut()], ids=repr)
def test_a_stop_that_passes_is_a_stop(error: Stopped) -> None:
    assert run(throw(error)).kind == "cancelled"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no"), "ValueError: no"),
        (ValueError(), "ValueError"),
        (ValueError("\udcff"), "ValueError: \\udcff"),
        (EvilError(), "EvilError: <EvilError without a text: its __str__ raised RuntimeError>"),
        (
            ExitingError(),
            "ExitingError: <ExitingError without a text: its __str__ raised SystemExit>",
        ),
        (OwnBaseError("base"), "OwnBaseError: base"),
        (SystemExit(0), "SystemExit: 0"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (asyncio.CancelledError(), "CancelledError"),
        (MemoryError(), "MemoryError"),
        (StopIteration(1), "StopIteration: 1"),
        (GeneratorExit(), "GeneratorExit"),
        (ExceptionGroup("g", [ValueError(1)] * 500), "ExceptionGroup: g (500 sub-exceptions)"),
        (BaseExceptionGroup("g", [KeyboardInterrupt()]), "BaseExceptionGroup: g (1 sub-exception)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_whatever_is_raised_is_an_error_with_a_traceback(
    error: BaseException, message: str
) -> None:
    done = run(throw(error))

    assert (done.kind, done.message) == ("raised", message)
    assert done.messages("error") == [message]
    assert "raise error" in done.lines[0][2]["traceback"]


def test_an_error_message_of_40_mb_is_cut() -> None:
    done = run(throw(ValueError("x" * 40_000_000)))

    assert done.message is not None
    assert len(done.message) <= MAX_MESSAGE_CHARS
    assert "raise error" in done.lines[0][2]["traceback"]


def test_a_traceback_begins_where_the_job_does() -> None:
    done = run(throw(ValueError("no")))

    assert "zerog/sdk" not in done.lines[0][2]["traceback"]


@pytest.mark.parametrize(
    "body",
    [
        lambda ctx: object(),
        lambda ctx: zerog.Result(object()),
        lambda ctx: (n for n in [1]),
        lambda ctx: [10**5000],
        throw(zerog.Finish(200, "", object())),
        lambda ctx: "x" * (MAX_DATA_BYTES + 1),
        lambda ctx: ctx.state.update(a=object()),
        lambda ctx: ctx.state.update(a="x" * MAX_STATE_BYTES) or zerog.Continue(),
        throw(HollowFinish()),
    ],
)
def test_what_cannot_be_kept_fails_once_and_for_all_and_says_why(body: Body) -> None:
    done = run(body)

    assert isinstance(done.end, Returned)
    assert done.code == 500
    assert done.message is not None
    assert done.message.startswith("what run returned cannot be kept: ")
    assert done.messages("error") == [done.message]


def test_an_error_is_still_told_when_the_state_cannot_be_kept() -> None:
    def body(ctx: zerog.Context) -> None:
        ctx.state["a"] = object()
        raise ValueError("no")

    done = run(body)

    assert done.kind == "raised"
    assert done.message is not None
    assert done.message.startswith("ValueError: no (and ")
    assert "ctx.state['a'] has no JSON form" in done.message


def test_a_state_that_cannot_be_saved_is_reported_once() -> None:
    def body(ctx: zerog.Context) -> None:
        ctx.state["a"] = float("nan")
        ctx.save_state()

    done = run(body)

    assert done.message is not None
    assert done.message.count("ctx.state['a'] has no JSON form: NaN") == 1
    assert done.messages("error") == [done.message]


def test_a_wrong_signal_is_an_ordinary_error_of_the_job() -> None:
    done = run(lambda ctx: zerog.Continue("300"))  # type: ignore[arg-type]

    assert done.kind == "raised"
    assert done.message is not None
    assert "'300' is not a duration" in done.message
    assert 'zerog.Continue("300")' in done.lines[0][2]["traceback"]


def test_an_async_job_is_run() -> None:
    async def body(ctx: zerog.Context) -> int:
        await asyncio.sleep(0)
        return 5

    assert run(body).data == 5


def leave_by_return(ctx: zerog.Context) -> Any:
    return "the fork's"


def leave_by_error(ctx: zerog.Context) -> Any:
    raise ValueError("the fork's")


def leave_by_exit(ctx: zerog.Context) -> Any:
    sys.exit(3)


@pytest.mark.parametrize(
    ("leave", "code"),
    [(leave_by_return, 0), (leave_by_error, 1), (leave_by_exit, 3)],
)
def test_a_fork_that_leaves_run_ends_there(leave: Body, code: int) -> None:
    def body(ctx: zerog.Context) -> int:
        pid = os.fork()
        if pid == 0:
            leave(ctx)
            return 0
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert run(body).data == code


def test_a_fork_that_leaves_a_coroutine_ends_there() -> None:
    async def body(ctx: zerog.Context) -> int:
        pid = os.fork()
        if pid == 0:
            return 0
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
        return os.waitstatus_to_exitcode(status)

    assert run(body).data == 0


def test_a_fork_cannot_use_the_context() -> None:
    def body(ctx: zerog.Context) -> str:
        reader, writer = os.pipe()
        if os.fork() == 0:
            try:
                ctx.info("from the fork")
            except RuntimeError as error:
                os.write(writer, str(error).encode())
            os._exit(0)
        os.wait()
        with open(reader) as pipe, open(writer, "w"):
            return os.read(pipe.fileno(), 1000).decode()

    done = run(body)

    assert done.data.startswith("ctx cannot be used in a forked process")
    assert done.lines == []
