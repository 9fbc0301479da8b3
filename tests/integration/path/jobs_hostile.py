"""Job types for the fuzzer: one does as it is told, and one is well-behaved."""

import os
import socket
import stat
import struct
import time
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import zerog

#: What an expression of `Says` may use.
NAMES = {
    "Continue": zerog.Continue, "Decimal": Decimal, "Finish": zerog.Finish,
    "Fraction": Fraction, "Result": zerog.Result, "Retry": zerog.Retry,
    "inf": float("inf"), "nan": float("nan"), "timedelta": timedelta,
}  # fmt: skip


class Healthy(zerog.Job):
    """Return a number."""

    value: int

    def run(self, ctx: zerog.Context) -> int:
        ctx.set_completeness(0.5)
        ctx.info("half", value=self.value)
        return self.value


class Later(Healthy):
    """The same, on a queue where nothing else is."""

    class Options:
        queue = "later"


class Held(Healthy):
    """The same, once a file exists."""

    path: str

    def run(self, ctx: zerog.Context) -> int:
        while not os.path.exists(self.path):
            ctx.info("waiting")
            ctx.set_completeness(0.5)
            time.sleep(0.1)
        return self.value


class Says(zerog.Job):
    """Return or raise what an expression makes, past its checks where it is asked to."""

    expression: str
    #: Fields that are set by force.
    forced: list[str] = []

    class Options:
        max_errors = 1

    def run(self, ctx: zerog.Context) -> Any:
        said = eval(self.expression, dict(NAMES))
        for field in self.forced:
            name, _, value = field.partition("=")
            object.__setattr__(said, name, eval(value, dict(NAMES)))
        if isinstance(said, BaseException):
            raise said
        return said


class Writes(zerog.Job):
    """Write on every socket of the process, as its own frames are written."""

    frames: list[str]
    #: The length that each frame says it has; None: its own.
    length: int | None = None

    class Options:
        max_errors = 1
        max_crashes = 1

    def run(self, ctx: zerog.Context) -> None:
        for text in self.frames:
            body = text.replace("$RUN", f"{ctx.uuid}:{ctx.attempt}").encode()
            frame = struct.pack(">I", len(body) if self.length is None else self.length) + body
            for end in _sockets():
                end.sendall(frame)


def _sockets() -> list[socket.socket]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                found.append(socket.socket(fileno=os.dup(int(name))))
        except OSError:
            continue
    return found
