"""The jobs on the docs' pictures of the web page."""

import time
from typing import Literal

from pydantic import Field

import zerog


class Thumbnails(zerog.Job):
    """Make thumbnails of a picture in several sizes."""

    picture: str = Field(description="Where the picture is")
    sizes: list[int] = [64, 256, 1024]
    quality: int = Field(85, ge=1, le=100)
    format: Literal["jpeg", "png", "webp"] = "webp"
    keep_original: bool = Field(True, description="Store the picture beside its thumbnails")

    class Options:
        queue = "media"

    def run(self, ctx: zerog.Context) -> object:
        ctx.info("fetched", bytes=482_113)
        for step in ctx.track(range(24)):
            if step == 5:
                ctx.warning("the picture has no colour profile; sRGB is assumed")
            ctx.info(f"tile {step + 1} of 24")
            time.sleep(6)
        return {"made": len(self.sizes), "format": self.format}


class MonthlyReport(zerog.Job):
    """Build the report of a month. The ledger is not always there."""

    month: str

    class Options:
        queue = "reports"
        max_errors = 5
        backoff_seconds = 2

    def run(self, ctx: zerog.Context) -> object:
        for _ in ctx.track(range(10)):
            time.sleep(0.1)
        if ctx.attempt < 3:
            raise RuntimeError("the ledger answered 502 Bad Gateway")
        ctx.info("written", rows=1234)
        return {"rows": 1234, "file": f"reports/{self.month}.pdf"}


class Invoice(zerog.Job):
    """Send an invoice."""

    number: int

    class Options:
        max_errors = 1

    def run(self, ctx: zerog.Context) -> object:
        if self.number % 9 == 0:
            raise ValueError(f"invoice {self.number} has no address")
        return {"sent": True}
