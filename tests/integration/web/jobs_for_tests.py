"""Job types that the tests of the web page run."""

import hashlib
import os
import time
from datetime import date, datetime
from typing import Any, Literal

from pydantic import Base64Bytes, BaseModel, Field

import zerog


class Author(BaseModel):
    """Who made it."""

    name: str
    born: int | None = None


class Everything(zerog.Job):
    """Take a parameter of every kind and return them."""

    title: str = Field(min_length=2, description="What it is called")
    copies: int = Field(1, ge=1, le=9)
    scale: float | None = None
    sizes: list[int] = [64, 256]
    colour: Literal["red", "green"] = "green"
    urgent: bool = False
    author: Author | None = None
    extra: dict[str, int] = {}

    def run(self, ctx: zerog.Context) -> object:
        return self.model_dump(mode="json")


class Exact(zerog.Job):
    """Take numbers that a browser's own cannot hold, and return them."""

    count: int = 2**63 - 1
    ratio: float = 1.0
    sizes: list[int] = []
    names: list[str] = []
    extra: dict[str, Any] = {}

    def run(self, ctx: zerog.Context) -> object:
        ctx.info("counted", count=self.count, ratio=self.ratio)
        return self.model_dump(mode="json")


class Fingerprint(zerog.Job):
    """Tell what a file is: its first bytes, its size and its fingerprint."""

    file: Base64Bytes
    name: str = ""

    def run(self, ctx: zerog.Context) -> object:
        digest = hashlib.sha256(self.file).hexdigest()
        return {"head": self.file[:4].hex(), "bytes": len(self.file), "sha256": digest}


class Slow(zerog.Job):
    """Work for a while, step by step, and tell of each.

    After the second step it waits until the file `hold` is there.
    """

    seconds: float = 60
    steps: int = 20
    hold: str = ""

    class Options:
        queue = "slow"

    def run(self, ctx: zerog.Context) -> object:
        for step in ctx.track(range(self.steps)):
            ctx.info(f"step {step + 1}", of=self.steps)
            if step == 1:
                ctx.warning("this one took its time")
                while self.hold and not os.path.exists(self.hold) and not ctx.cancelled:
                    time.sleep(0.02)
            time.sleep(self.seconds / self.steps)
        return {"steps": self.steps}


class Wordy(zerog.Job):
    """Write a long log."""

    lines: int = 5000

    class Options:
        queue = "wordy"

    def run(self, ctx: zerog.Context) -> None:
        for number in range(self.lines):
            ctx.info(f"line {number}", ratio=1.0)


class Flaky(zerog.Job):
    """Fail at first, then work."""

    failures: int = 2

    class Options:
        queue = "flaky"
        max_errors = 5
        backoff_seconds = 0.1

    def run(self, ctx: zerog.Context) -> object:
        if ctx.attempt <= self.failures:
            raise RuntimeError("the ledger answered 502 Bad Gateway")
        return {"attempts": ctx.attempt}


class Broken(zerog.Job):
    """Never work."""

    class Options:
        queue = "broken"
        max_errors = 1

    def run(self, ctx: zerog.Context) -> None:
        raise ValueError("broken by design")


class Quick(zerog.Job):
    """Do nothing, quickly."""

    class Options:
        queue = "quick"

    def run(self, ctx: zerog.Context) -> None:
        pass


class Hostile(zerog.Job):
    """Pay \u202e00.1$\u202c, unseen: \u3164."""

    text: str = ""

    class Options:
        queue = "hostile"
        max_errors = 1

    def run(self, ctx: zerog.Context) -> None:
        ctx.info(self.text, note=self.text)
        raise ValueError(self.text)


class AVeryLongNameThatNobodyWouldChooseButIsGeneratedFromJavaPackages(zerog.Job):
    """Fail with a message that is as long as the names."""

    class Options:
        queue = "a-very-long-queue-name-of-team-region-and-purpose-eu-central-1-p"
        max_errors = 1

    def run(self, ctx: zerog.Context) -> None:
        raise ValueError("https://shop.example/" + "x" * 300)


class Dated(zerog.Job):
    """Take a day and a time and return them."""

    day: date
    at: datetime | None = None
    code: str = Field("AB1", pattern="^[A-Z]{2}[0-9]$")

    class Options:
        queue = "dated"

    def run(self, ctx: zerog.Context) -> object:
        return self.model_dump(mode="json")
