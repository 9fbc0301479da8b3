"""What is said of a job that did not succeed: how it ended, and where to read on.

It goes to standard error, so that what programs read stays what they expect.
"""

from typing import Any

from zerog.cli.words import say
from zerog.client.calls import ending, take
from zerog.model.record import UNFINISHED


def tell_ending(uuid: str, progress: dict[str, Any]) -> None:
    """Say how a job stands, unless it has succeeded."""
    state = progress["state"]
    if take(progress, "resultCode") == UNFINISHED:
        say(f"zerog: job {uuid} is {state}, not finished: it has no output yet")
        say(f"  zerog watch {uuid}  follow it to its end")
    elif state != "succeeded":
        say(f"zerog: job {uuid} {ending(progress)}\n{advice(uuid)}")


def advice(uuid: str) -> str:
    """Return what tells more of a job that did not succeed, and what runs it again."""
    return f"  zerog info {uuid}   attempts, tracebacks\n  zerog retry {uuid}  run it again"
