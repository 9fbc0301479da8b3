"""The jobs of the end-to-end tests; workers get this file by a ConfigMap."""

import socket
import time

import zerog


class Nap(zerog.Job):
    """Sleep, in steps that show."""

    seconds: float = 1.0

    class Options:
        queue = "naps"

    def run(self, ctx: zerog.Context) -> dict[str, str]:
        for _ in ctx.track(range(10)):
            time.sleep(self.seconds / 10)
        return {"pod": socket.gethostname()}


class Hog(zerog.Job):
    """Take so much memory; nobody has to stop it before the machine is in need."""

    mebibytes: int

    class Options:
        queue = "hogs"
        max_crashes = 1

    def run(self, ctx: zerog.Context) -> None:
        b"x" * (self.mebibytes << 20)
