"""Run jobs in real children of a real nursery, without queue and store."""

import asyncio
import itertools
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from zerog.child.handle import ChildDeath, ChildHandle, NurseryHandle
from zerog.child.protocol import (
    CancelFrame,
    EndFrame,
    FromChild,
    LineFrame,
    ProgressFrame,
    RunFrame,
    StateFrame,
    run_name,
)
from zerog.model.events import Returned, RunEnd
from zerog.model.record import JobId, new_job_id

DEADLINE_SECONDS = 30.0
_names = itertools.count(1)


def write_jobs(folder: Path, text: str, name: str | None = None) -> str:
    """Write a module of jobs, return its path."""
    path = folder / f"{name or f'jobs_of_a_child_{next(_names)}'}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "import os, signal, sys, threading, time\nimport zerog\n" + textwrap.dedent(text)
    )
    return str(path)


def job(body: str, name: str = "It", fields: str = "") -> str:
    """Return the text of a job class whose `run` has this body."""
    inner = textwrap.indent(textwrap.dedent(body).strip("\n"), "        ")
    head = textwrap.indent(textwrap.dedent(fields).strip("\n"), "    ")
    return f"\nclass {name}(zerog.Job):\n{head}\n    def run(self, ctx):\n{inner}\n"


class Attempt:
    """One run in a child: what it reported, and how it ended."""

    def __init__(self, child: ChildHandle, type_name: str, **how: Any) -> None:
        self.child = child
        self.uuid: JobId = how.pop("uuid", None) or new_job_id()
        self.run = run_name(self.uuid, 1)
        self.frames: list[FromChild] = []
        self.death: ChildDeath | None = None
        self.end_frame: EndFrame | None = None
        self._over = asyncio.Event()
        self._changed = asyncio.Event()
        #: What was written to the descriptors 1 and 2.
        self.printed = b""
        child.on_frame, child.on_death = self._take, self._died
        child.on_printed = self._take_printed
        parameters = how.pop("parameters", {})
        child.send(RunFrame(self.run, self.uuid, 1, type_name, parameters, **how))

    def _take(self, frame: FromChild) -> None:
        self.frames.append(frame)
        if isinstance(frame, EndFrame):
            self.end_frame = frame
            self._over.set()
        self._changed.set()

    def _take_printed(self, data: bytes) -> None:
        self.printed += data

    def _died(self, death: ChildDeath) -> None:
        self.death = death
        self._over.set()
        self._changed.set()

    async def over(self) -> "Attempt":
        """Wait for the end."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self._over.wait()
        return self

    async def died(self) -> ChildDeath:
        """Wait for the death of the process."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while self.death is None:
                self._changed.clear()
                await self._changed.wait()
        return self.death

    async def said(self, message: str) -> None:
        """Wait for a line of the log."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while message not in self.messages:
                self._changed.clear()
                await self._changed.wait()

    def cancel(self, why: str = "cancel") -> None:
        """Ask for the end."""
        self.child.send(CancelFrame(self.run, why))

    @property
    def end(self) -> RunEnd:
        assert self.end_frame is not None, self.death
        return self.end_frame.end

    @property
    def data(self) -> Any:
        assert isinstance(self.end, Returned), self.end
        return self.end.data

    @property
    def spoiled(self) -> str | None:
        assert self.end_frame is not None, self.death
        return self.end_frame.spoiled

    @property
    def lines(self) -> list[LineFrame]:
        return [frame for frame in self.frames if isinstance(frame, LineFrame)]

    def logged(self, line: int) -> Any:
        """Return the data of a line of the log."""
        return msgspec.json.decode(self.lines[line].data or "null")

    @property
    def logged_by(self) -> list[tuple[str, str | None, str]]:
        """Return level, logger and message of each line."""
        return [(line.level, line.logger, line.message) for line in self.lines]

    @property
    def messages(self) -> list[str]:
        return [line.message for line in self.lines]

    @property
    def states(self) -> list[dict[str, Any]]:
        return [
            msgspec.json.decode(frame.state)
            for frame in self.frames
            if isinstance(frame, StateFrame)
        ]

    @property
    def completeness(self) -> list[float]:
        return [frame.completeness for frame in self.frames if isinstance(frame, ProgressFrame)]


@asynccontextmanager
async def nursery_of(*modules: str, **how: Any) -> AsyncIterator[NurseryHandle]:
    """Start a nursery, and close it."""
    nursery = await NurseryHandle.start(modules, **how)
    try:
        yield nursery
    finally:
        await nursery.close(5)


async def run_once(folder: Path, body: str, fields: str = "", **how: Any) -> Attempt:
    """Run one job in a new child of a new nursery, to its end."""
    async with nursery_of(write_jobs(folder, job(body, fields=fields))) as nursery:
        return await Attempt(await nursery.fork(), "It", **how).over()


__all__ = ["Attempt", "job", "msgspec", "nursery_of", "run_once", "write_jobs"]
