"""The nursery and its client when a process cannot be had, or dies as soon as it is there."""

import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from zerog.child import frames, handle, nursery
from zerog.model.errors import NurseryError

#: Stands where Python does in `python -m zerog.child.nursery FD`: imports nothing, and gives the
#: scripted answer to the first fork.
SCRIPT = """#!{python}
import socket, sys
sys.path[:0] = {path!r}
from zerog.child import frames
control = socket.socket(fileno=int(sys.argv[3]))
control.sendall(frames.encode({{"op": "types", "types": []}}))
socket.recv_fds(control, 1000, 4)
control.sendall(b"".join(frames.encode(frame) for frame in {answer!r}))
control.recv(1000)
"""


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            [
                {"op": "forked", "pid": 77},
                {"op": "died", "pid": 77, "exitcode": -9, "oom": None, "maxRssBytes": 0},
            ],
            "died at once",
        ),
        ([{"op": "refused", "error": "Resource temporarily unavailable"}], "temporarily"),
    ],
)
async def test_a_process_that_is_not_there_is_not_handed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: list[object], message: str
) -> None:
    script = tmp_path / "python"
    script.write_text(SCRIPT.format(python=sys.executable, path=sys.path, answer=answer))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(script))
    client = await handle.Nursery.start([])

    try:
        with pytest.raises(NurseryError, match=message):
            await client.fork()
    finally:
        await client.close(5)


def test_a_nursery_that_may_not_fork_says_so_and_lives_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    ours, theirs = socket.socketpair()
    pipe, other = socket.socketpair()
    with ours, theirs, other:
        serving = nursery.Nursery(theirs, [])
        monkeypatch.setattr(os, "fork", fork)

        serving._fork(pipe.detach())

        (frame,) = frames.FrameReader().feed(ours.recv(1000))
        assert frame == {"op": "refused", "error": "Resource temporarily unavailable"}
        assert other.recv(1) == b"", "the pipe of the child that is not there is closed"
        serving._wake_reader.close()
        serving._wake_writer.close()
