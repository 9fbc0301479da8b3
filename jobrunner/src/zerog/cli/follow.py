"""Follow a job on the terminal: a live progress bar with the job's log above it; plain
lines in a pipe."""

import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from zerog.cli.output import STATE_STYLES
from zerog.cli.words import say
from zerog.client import Client, WaitTimeoutError

_LEVEL_STYLES = {"warning": "yellow", "error": "red"}


def follow(
    client: Client, uuid: str, *, limit_seconds: float | None = None, quiet: bool = False
) -> dict[str, Any]:
    """Follow a job to its end, return its progress. `WaitTimeoutError` after the limit.

    ^C leaves the job running and says how to go on.
    """
    if quiet:
        return client.wait(uuid, limit_seconds)
    console = Console(stderr=True)
    deadline = None if limit_seconds is None else time.monotonic() + limit_seconds
    show = _show_live if console.is_terminal else _show_plain
    try:
        return show(client, uuid, console, deadline)
    except KeyboardInterrupt:
        say(f"\nThe job goes on; to follow it again:\n  zerog watch {uuid}")
        raise


def _show_live(
    client: Client, uuid: str, console: Console, deadline: float | None
) -> dict[str, Any]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    # So that a ^C that the terminal shows behind the bar does not begin a new line.
    console.width = max(20, console.width - 3)
    last: dict[str, Any] = {}
    with bar:
        task = bar.add_task(_described({"state": "queued"}), total=1.0)
        for event in client.stream(uuid):
            if event.kind == "log":
                if not last:  # the first line comes before the first progress
                    bar.update(task, description=_described({"state": "running"}))
                style = _LEVEL_STYLES.get(event.data["level"], "")
                text = _line(event.data)
                bar.console.print(text, style=style, markup=False, highlight=False)
            else:
                last = event.data
                bar.update(task, completed=last["completeness"], description=_described(last))
            _check(deadline, last, uuid)
    _print_end(console, last)
    return last


def _show_plain(
    client: Client, uuid: str, console: Console, deadline: float | None
) -> dict[str, Any]:
    last: dict[str, Any] = {}
    for event in client.stream(uuid):
        if event.kind == "log":
            print(f"{event.data['level']}: {event.data['message']}", file=sys.stderr)
        elif event.kind == "progress":
            last = event.data
            print(f"{_where(last)} {last['completeness']:.0%}", file=sys.stderr)
        _check(deadline, last, uuid)
    _print_end(console, last)
    return last


def _described(progress: dict[str, Any]) -> str:
    """Return where a job is, in its colour, and so wide that the bar stays in its place."""
    style = STATE_STYLES.get(progress["state"], "white")
    return f"[{style}]{_where(progress):<9}[/]"


def _line(event: dict[str, Any]) -> str:
    """Return a log line; colour alone does not say that it is a warning."""
    level, message = event["level"], str(event["message"])
    return message if level == "info" else f"{level}: {message}"


def _where(progress: dict[str, Any]) -> str:
    """Return a job's state, with the attempt when it is not the first."""
    attempt = int(progress.get("attempt", 1))
    return f"{progress['state']}, attempt {attempt}" if attempt > 1 else str(progress["state"])


def _check(deadline: float | None, last: dict[str, Any], uuid: str) -> None:
    if deadline is not None and time.monotonic() >= deadline and last.get("resultCode") == -1:
        raise WaitTimeoutError(
            f"job {uuid} is still {last['state']}, and goes on; to follow it again:\n"
            f"  zerog watch {uuid}"
        )


def _print_end(console: Console, progress: dict[str, Any]) -> None:
    message = progress.get("message")
    if message and message != progress["state"]:
        console.print(f"{progress['state']}: {message}", markup=False, soft_wrap=True)
    if progress.get("state") == "failed":
        uuid = progress["uuid"]
        say(f"  zerog info {uuid}   attempts, tracebacks\n  zerog retry {uuid}  run it again")
