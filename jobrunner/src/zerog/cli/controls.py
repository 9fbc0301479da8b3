"""Commands that hold work: pause and resume a queue, drain and undrain a worker.

Nothing is lost by any of them, and each has its opposite. So they do not ask first: who pauses a
queue may be in a hurry.
"""

import argparse
from typing import Any

from zerog.cli import codes
from zerog.cli.output import print_json
from zerog.cli.target import connect
from zerog.cli.words import held_text, say, show


def command_pause(options: argparse.Namespace) -> int:
    """Pause a queue."""
    with connect(options) as client:
        return _tell(options, client.pause(options.queue, options.reason))


def command_resume(options: argparse.Namespace) -> int:
    """Resume a queue."""
    with connect(options) as client:
        return _tell(options, client.resume(options.queue))


def command_drain(options: argparse.Namespace) -> int:
    """Let a worker drain."""
    with connect(options) as client:
        return _tell(options, client.drain(options.worker, options.reason))


def command_undrain(options: argparse.Namespace) -> int:
    """Let a worker take jobs again."""
    with connect(options) as client:
        return _tell(options, client.undrain(options.worker))


def _tell(options: argparse.Namespace, answer: dict[str, Any]) -> int:
    """Print what holds now."""
    name = str(answer["name"])
    if options.json:
        print_json(answer)
        return codes.OK
    match answer:
        case {"paused": dict() as control}:
            show(held_text("queue", name, control))
            say(f"running jobs finish, new ones wait\n  zerog resume {name}")
        case {"drain": dict() as control}:
            show(held_text("worker", name, control))
            say(f"it finishes what it runs and takes no new job\n  zerog undrain {name}")
        case {"paused": _}:
            show(f"the queue {name} is not paused: workers take its jobs")
        case _:
            show(f"the worker {name} takes new jobs")
    return codes.OK
