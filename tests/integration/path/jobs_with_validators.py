"""Job types whose validators check what no JSON Schema says, or do what no validator should."""

import os
from pathlib import Path
from typing import Any, Self

from pydantic import field_validator, model_validator

import zerog


class Span(zerog.Job):
    """Has an order of two fields, and the words of its author."""

    start: int
    end: int
    #: While this file exists, nothing is accepted: as with a validator that looks at the clock.
    closed: str = ""

    @field_validator("start")
    @classmethod
    def check_start(cls, start: int) -> int:
        if start == 13:
            raise ValueError("13 is reserved")
        return start

    @model_validator(mode="after")
    def check_order(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}")
        if self.closed and Path(self.closed).exists():
            raise ValueError("it is closed")
        return self

    def run(self, ctx: zerog.Context) -> Any:
        return self.end - self.start


class Hostile(zerog.Job):
    """Does in its validator what it is called for. No worker of the tests serves its queue."""

    __abstract__ = True

    class Options:
        queue = "hostile"

    v: int

    @field_validator("v")
    @classmethod
    def check_v(cls, v: int) -> int:
        match cls.__name__:
            case "Exits":
                os._exit(0)
            case "Hangs":
                while True:
                    pass
            case "Shouts":
                raise ValueError("x" * 10_000_000)
        return v

    def run(self, ctx: zerog.Context) -> Any:
        return self.v


class Exits(Hostile):
    """Ends its process."""


class Hangs(Hostile):
    """Never comes to an end."""


class Shouts(Hostile):
    """Says more than anybody reads."""
