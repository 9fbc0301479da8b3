"""The nursery and its handle when a process cannot be had, or dies as soon as it exists."""

import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from zerog.child import handle, nursery
from zerog.child.protocol import FrameReader, FromNursery, RefusedFrame
from zerog.model.errors import NurseryError

#: Stands where Python does in `python -P -m zerog.child.nursery FD …`: imports nothing, and gives
#: the scripted answer to the first fork.
SCRIPT = """#!{python}
import socket, sys
sys.path[:0] = {path!r}
from zerog.child.protocol import *
from zerog.model.documents import TypeDocument
control = socket.socket(fileno=int(sys.argv[4]))
control.sendall(encode(TypesFrame([TypeDocument("x", "x", {{}})])))
data = b""
while b"fork" not in data:
    data += socket.recv_fds(control, 1000, 4)[0]
control.sendall(b"".join(encode(frame) for frame in {answer}))
while control.recv(1000):
    pass
"""


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("[ForkedFrame(1, 2**22 + 7), DiedFrame(2**22 + 7, -9, None, 0)]", "died at once"),
        ("[RefusedFrame(1, 'Resource temporarily unavailable')]", "temporarily"),
    ],
)
async def test_a_process_that_does_not_exist_is_not_handed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, message: str
) -> None:
    script = tmp_path / "python"
    script.write_text(SCRIPT.format(python=sys.executable, path=sys.path, answer=answer))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(script))
    started = await handle.NurseryHandle.start([])

    try:
        with pytest.raises(NurseryError, match=message):
            await started.fork()
    finally:
        await started.close(5)


def test_a_nursery_that_may_not_fork_says_so_and_lives_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    ours, theirs = socket.socketpair()
    pipe, other = socket.socketpair()
    printed, its_printed = socket.socketpair()
    with ours, theirs, other, printed:
        serving = nursery.Nursery(theirs, {})
        serving._fds += [pipe.detach(), its_printed.detach()]
        monkeypatch.setattr(os, "fork", fork)

        serving._fork(7)
        serving._fork(8)

        reader: FrameReader[FromNursery] = FrameReader(FromNursery)
        assert list(reader.feed(ours.recv(1000))) == [
            RefusedFrame(7, "Resource temporarily unavailable"),
            RefusedFrame(8, "too many open files"),
        ]
        assert other.recv(1) == b"", "the pipe of the child that does not exist is closed"
        assert printed.recv(1) == b"", "so is the one for what it prints"
        serving._wake_reader.close()
        serving._wake_writer.close()
