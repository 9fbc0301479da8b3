"""The same job in two queues that one worker serves."""

import time
from pathlib import Path

import zerog


class Media(zerog.Job):
    """Return at once, or when the file `hold` is there."""

    hold: str = ""

    class Options:
        queue = "media"

    def run(self, ctx: zerog.Context) -> str:
        ctx.info("begun")
        while self.hold and not Path(self.hold).exists():
            time.sleep(0.02)
        return "done"


class Mail(zerog.Job):
    """Return at once."""

    class Options:
        queue = "mail"

    def run(self, ctx: zerog.Context) -> str:
        return "done"
