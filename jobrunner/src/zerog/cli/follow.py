"""Follow a job on the terminal: a live progress bar with the job's log above it; plain
lines in a pipe."""

import asyncio
from typing import Any, Self

from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from zerog.cli.endings import advice
from zerog.cli.output import STATE_STYLES
from zerog.cli.unserved import UnservedWatch
from zerog.cli.words import say
from zerog.client import AsyncClient, WaitTimeoutError
from zerog.client.calls import StreamEvent, ending
from zerog.console import ShownConsole
from zerog.model.record import UNFINISHED
from zerog.shown import INDENT, shown_block, shown_name

_LEVEL_STYLES = {"warning": "yellow", "error": "red"}


def follow(
    client: AsyncClient, uuid: str, *, limit_seconds: float | None = None, quiet: bool = False
) -> dict[str, Any]:
    """Follow a job to its end, return its progress. `WaitTimeoutError` after the limit.

    The limit applies even if the API does not answer. ^C leaves the job running and says how to
    continue. A job that no worker serves is reported, even if `quiet`.
    """
    try:
        return asyncio.run(_follow(client, uuid, limit_seconds, _Quiet() if quiet else _view()))
    except KeyboardInterrupt:
        if not quiet:
            say()
            say(f"The job continues; to follow it again:\n  zerog watch {uuid}")
        raise


async def _follow(
    client: AsyncClient, uuid: str, limit_seconds: float | None, view: "_Quiet"
) -> dict[str, Any]:
    try:
        async with asyncio.timeout(limit_seconds), client:
            with view:
                await _show(client, uuid, view)
    except TimeoutError:
        if view.last.get("resultCode", UNFINISHED) == UNFINISHED:
            state = f"still {view.last['state']}" if view.last else "not known to have ended"
            raise WaitTimeoutError(
                f"job {uuid} is {state} after {limit_seconds:g} s, and continues; "
                f"to follow it again:\n  zerog watch {uuid}"
            ) from None
    view.print_end()
    return view.last


async def _show(client: AsyncClient, uuid: str, view: "_Quiet") -> None:
    """Show a job until it ends, and meanwhile whether a worker serves it."""
    unserved = UnservedWatch(client, uuid, view.remark)
    watching = asyncio.create_task(unserved.run(), name="unserved")
    try:
        if view.wants_events:
            async for event in client.stream(uuid):
                view.show(event)
                unserved.note(view.last)
        else:
            view.last = await client.wait(uuid)
            unserved.note(view.last)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)  # it uses the client


class _Quiet:
    """Shows nothing, and only waits."""

    wants_events = False

    def __init__(self) -> None:
        self.last: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def show(self, event: StreamEvent) -> None:
        """Take in an event."""
        if event.kind != "log":
            self.last = event.data

    def remark(self, text: str) -> None:
        """Say something that does not come from the job."""
        say(text)

    def print_end(self) -> None:
        """Print how the job ended."""


class _Plain(_Quiet):
    """Shows a line for each event."""

    wants_events = True

    def show(self, event: StreamEvent) -> None:
        super().show(event)
        if event.kind == "log":
            line = f"{INDENT}{event.data['level']}: {event.data['message']}"
            say(shown_block(line, 2 * INDENT))
        elif event.kind == "progress":
            say(f"{_where(self.last)} {self.last['completeness']:.0%}")

    def print_end(self) -> None:
        progress = self.last
        message = progress.get("message")
        if progress.get("state") in ("failed", "expired"):
            say(f"{ending(progress)}\n{advice(progress['uuid'])}")
        elif message and message != progress["state"]:
            say(f"{_where(progress)}: {message}")


class _Live(_Plain):
    """Shows a bar, and the log above it."""

    def __init__(self, console: ShownConsole) -> None:
        super().__init__()
        # So that a ^C that the terminal shows behind the bar does not begin a new line.
        console.width = max(20, console.width - 3)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._bar.add_task(_described({"state": "queued"}), total=1.0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def remark(self, text: str) -> None:
        self._bar.console.print(Text(shown_block(text), "yellow"))

    def show(self, event: StreamEvent) -> None:
        if event.kind == "log":
            if not self.last:  # the first line comes before the first progress
                self._bar.update(self._task, description=_described({"state": "running"}))
            # A Text: rich would make an emoji of `:100:` in a str.
            text = Text(shown_block(_line(event.data)), _LEVEL_STYLES.get(event.data["level"], ""))
            self._bar.console.print(Padding(text, (0, 0, 0, len(INDENT))))
        else:
            self.last = event.data
            done, described = self.last["completeness"], _described(self.last)
            self._bar.update(self._task, completed=done, description=described)


def _view() -> _Plain:
    console = ShownConsole(stderr=True)
    return _Live(console) if console.is_terminal else _Plain()


def _described(progress: dict[str, Any]) -> str:
    """Return where a job is, in its colour, and so wide that the bar stays in its place."""
    style = STATE_STYLES.get(progress["state"], "white")
    # The bar's description is markup: what the API says must not be.
    return f"[{style}]{escape(f'{_where(progress):<9}')}[/]"


def _line(event: dict[str, Any]) -> str:
    """Return a log line; colour alone does not say that it is a warning."""
    level, message = event["level"], str(event["message"])
    return message if level == "info" else f"{level}: {message}"


def _where(progress: dict[str, Any]) -> str:
    """Return a job's state, with the attempt when it is not the first."""
    attempt, state = int(progress.get("attempt", 1)), shown_name(str(progress["state"]))
    return f"{state}, attempt {attempt}" if attempt > 1 else state
