"""What a job's process prints goes into the job's log.

Two ways lead there. Python's own streams, loggers and warnings write lines through the job's
context: in order with its other lines, each with its time, and counted where it is written. All
that writes to the descriptors 1 and 2 past Python, e.g. programs that the job starts and what
Python says when it crashes, goes through a pipe to the worker (`zerog.child.childhandle`).

`install` stands before the import of the job modules, so that what they keep of `sys.stderr` is
what a run listens to. `take_over_logging` comes after it, because `logging.basicConfig` does
nothing once there is a handler. Without a run, and in a process that a job forked, everything goes
to the descriptors.

Both streams are information: tqdm, wget and others that report no fault write to standard error.
"""

import contextlib
import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from zerog import standardfiles
from zerog.lines import PrintedLines
from zerog.logs import NOISY
from zerog.sdk.context import Context, log_printed
from zerog.sdk.text import describe, trace
from zerog.standardfiles import PatientFile

_STREAMS = {1: "stdout", 2: "stderr"}
#: What stands in a forked process without a line end is passed on when it is as long as this.
_MAX_PENDING_BYTES = 4096


class Listener:
    """What listens to this process: the log of the run of the moment, if there is one."""

    def __init__(self) -> None:
        self._context: Context | None = None
        self._process = 0
        #: Lines that have begun. Threads print at the same time, so each has its own.
        self._begun: dict[tuple[int, str], PrintedLines] = {}

    @property
    def context(self) -> Context | None:
        """Where lines go; None: to the descriptors."""
        # A process that the job forked cannot report.
        return self._context if os.getpid() == self._process else None

    def begin(self, context: Context) -> None:
        """Write what is printed from now on into the log of this run."""
        self._context, self._process = context, os.getpid()

    def end(self) -> None:
        """Write what has no line end yet, and nothing after that."""
        context, self._context = self._context, None
        if context is not None:
            for (_, stream), lines in list(self._begun.items()):
                _log(context, stream, lines.rest())
        self._begun.clear()

    def take(self, context: Context, stream: str, data: bytes) -> None:
        """Take in what a thread prints."""
        key = threading.get_ident(), stream
        if (lines := self._begun.get(key)) is None:
            lines = self._begun[key] = PrintedLines()
        _log(context, stream, lines.feed(data))


#: One process runs one job at a time, whose streams and loggers are those of the whole process.
_run = Listener()


def begin(context: Context) -> None:
    """Write what this process prints from now on into the log of this run."""
    _run.begin(context)


def end() -> None:
    """Write no more into the log of the run that is over."""
    _run.end()


def install() -> None:
    """Let streams of this process write into the log of the run, and loggers from `INFO` on."""
    install_streams()
    logging.root.setLevel(logging.INFO)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


def install_streams() -> None:
    """Let `sys.stdout` and `sys.stderr` of this process write into the log of the run."""
    standardfiles.replace_streams(
        lambda fd, _: io.TextIOWrapper(
            _Stream(fd), encoding="utf-8", errors="backslashreplace", write_through=True
        )
    )


def take_over_logging() -> None:
    """Let loggers, warnings and uncaught exceptions of threads write into the log of the run.

    A handler that writes to standard output or error is replaced: its records would be there twice.
    """
    for logger in [logging.root, *_loggers()]:
        consoles = [handler for handler in logger.handlers if _is_console(handler)]
        for console in consoles:
            logger.removeHandler(console)
        if logger is logging.root or (consoles and not _reaches_root(logger)):
            level = min((console.level for console in consoles), default=logging.NOTSET)
            logger.addHandler(_Handler(level))
    logging.captureWarnings(True)
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _log_of_thread


def connect(fd: int) -> None:
    """Let a pipe be the standard output and error of this process."""
    for number in _STREAMS:
        os.dup2(fd, number)
    os.close(fd)


def let_wait() -> None:
    """Undo `O_NONBLOCK`, which other processes share: the next job's programs would fail.

    A job's programs set it: node does.
    """
    for fd in _STREAMS:
        with contextlib.suppress(OSError):
            if not os.get_blocking(fd):
                os.set_blocking(fd, True)


class _Stream(PatientFile):
    """What is under `sys.stdout` or `sys.stderr`."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "w", closefd=False)
        self._name = _STREAMS[fd]
        self._pending = b""

    def write(self, data: Any, /) -> int:
        text = bytes(data)
        if (context := _run.context) is not None:
            _run.take(context, self._name, text)
        else:
            # Whole lines: several processes may write.
            whole, end, self._pending = (self._pending + text).rpartition(b"\n")
            if len(self._pending) > _MAX_PENDING_BYTES:
                whole, end, self._pending = whole + end, self._pending, b""
            if end:
                super().write(whole + end)
        return len(text)

    def flush(self) -> None:
        pending, self._pending = self._pending, b""
        if pending:
            super().write(pending)
        super().flush()


class _Handler(logging.Handler):
    def handle(self, record: logging.LogRecord) -> bool:
        """See `logging.Handler`. Without its lock: a text of a record may log, in any thread."""
        if accepted := bool(self.filter(record)):
            self.emit(record)
        return accepted

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage().rstrip("\n")
            error = record.exc_info[1] if record.exc_info else None
            below = record.stack_info if error is None else trace(error)
            if (context := _run.context) is not None:
                log_printed(context, _level(record.levelno), record.name, message, below)
            else:
                text = f"{record.levelname} {record.name}: {message}\n{below or ''}".rstrip("\n")
                sys.stderr.write(text + "\n")  # noqa: TID251  the worker shows it
        except Exception:
            self.handleError(record)


def _log(context: Context, stream: str, lines: list[str]) -> None:
    for line in filter(None, lines):
        log_printed(context, "info", stream, line, None)


def _level(number: int) -> str:
    if number >= logging.ERROR:
        return "error"
    return "warning" if number >= logging.WARNING else "info"


def _log_of_thread(args: threading.ExceptHookArgs) -> None:
    error = args.exc_value
    if error is None or isinstance(error, SystemExit):
        return
    name = args.thread.name if args.thread is not None else "a thread"
    logging.getLogger("threading").error(
        "exception in %s: %s", name, describe(error), exc_info=error
    )


def _loggers() -> Iterator[logging.Logger]:
    known = list(logging.root.manager.loggerDict.values())
    return (logger for logger in known if isinstance(logger, logging.Logger))


def _is_console(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and isinstance(
        getattr(handler.stream, "buffer", None), _Stream
    )


def _reaches_root(logger: logging.Logger) -> bool:
    above: logging.Logger | None = logger
    while above is not None and above is not logging.root:
        above = above.parent if above.propagate else None
    return above is not None
