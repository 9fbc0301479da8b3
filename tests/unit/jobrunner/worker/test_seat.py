"""The seat has a fit process in it whenever a job is to run."""

import asyncio
import socket

from tests.unit.jobrunner.worker.stand_ins import RETURNS_DONE, ScriptedNursery

from zerog.settings import WorkerSettings
from zerog.worker.seat import Seat


async def test_a_process_whose_pipe_has_ended_gets_no_job() -> None:
    """Its death is reported later: a job that was sent to it would count a crash."""
    seat = Seat(ScriptedNursery(RETURNS_DONE), WorkerSettings(jobs=("none",)))  # type: ignore[arg-type]
    child = await seat.ready()
    assert await seat.ready() is child
    ours, theirs = socket.socketpair()
    lost = asyncio.Event()
    await asyncio.get_running_loop().create_unix_connection(lambda: child, sock=ours)
    connection_lost = child.connection_lost

    def note_lost(exc: Exception | None) -> None:
        connection_lost(exc)
        lost.set()

    child.connection_lost = note_lost  # type: ignore[method-assign]

    theirs.close()
    await lost.wait()

    assert child.alive
    assert await seat.ready() is not child
