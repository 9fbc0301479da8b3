"""The jobs of the example image."""

import os
from typing import Any

import zerog


class Greet(zerog.Job):
    """Greet somebody, and tell who did."""

    name: str

    def run(self, ctx: zerog.Context) -> dict[str, Any]:
        ctx.info(f"greets {self.name}")
        return {"greeting": f"Hello, {self.name}!", "uid": os.getuid()}
