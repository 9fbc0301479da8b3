"""A job may write anything into the pipe to its worker, and as much as it likes: the worker stays
as small as it was, the attempt's end is recorded, and the next job runs."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.integration.path.conftest import DEADLINE_SECONDS, System

from zerog.model.limits import MAX_LOG_BYTES, MAX_LOG_LINES

#: The worker may grow by this much, whatever a job sends.
ROOM_BYTES = 32 * 1024 * 1024
#: Finds the pipe, which is the job's only socket, and says how a frame is made.
PIPE = """
import json, os, struct
def is_pipe(fd):
    try: return os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    except OSError: return False
pipe = next(int(fd) for fd in os.listdir("/proc/self/fd") if is_pipe(fd))
def send(body):
    data = memoryview(struct.pack(">I", len(body)) + body)
    while data: data = data[os.write(pipe, data):]
def line(**more):
    head = {"op": "line", "run": f"{ctx.uuid}:{ctx.attempt}", "seq": 0,
            "time": "2026-01-01T00:00:00Z", "level": "info", "message": "x"}
    return json.dumps({name: v for name, v in {**head, **more}.items() if v is not None}).encode()
def end(**more):
    event = {"event": "returned", "attempt": ctx.attempt, **more}
    return json.dumps({"op": "end", "run": f"{ctx.uuid}:{ctx.attempt}", "end": event}).encode()
"""
WAIT = "\nimport time\ntime.sleep(600)"
#: What ends the job's process, because it is not a frame or not within its bounds.
HOSTILE = {
    "a line of 30 MB": "send(line(message='x' * 30_000_000))",
    "lines of 100 KB": "for _ in range(6000): send(line(data=json.dumps({'a': 'x' * 100_000})))",
    "data that is an object": "send(line(data={'rows': [[]] * 3000}))",
    "a line without level": "send(line(level=None))",
    "a line of another level": "send(line(level='critical'))",
    "a message that is a number": "send(line(message=7))",
    "a lone surrogate": "send(line(message='\\ud800'))",
    "the year 9999": "send(line(time='9999-12-31T23:59:59-14:00'))",
    "a result code of 40 digits": "send(end(code=10**40))",
    "a large state": "send(end(state=json.dumps({'a': [[]] * 1_000_000})))",
    "a state that is an object": "send(end(state={'a': [[]] * 10_000}))",
    "a state that is two values": "send(end(state='{},{}'))",
    "an output that is too large": "send(end(data='x' * 17_000_000))",
    "an unknown type": """send(b'{"op":"exec"}')""",
    "no frames": "os.write(pipe, os.urandom(100_000) + b'\\xff' * 8)",
}


class Memory:
    """How much a process grows."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # its peak is counted from now on
        self._before = self._peak_bytes()

    def _peak_bytes(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024

    def grown_bytes(self) -> int:
        """Return how much more memory the process has had since."""
        return self._peak_bytes() - self._before


def worker_pid(system: System) -> int:
    (worker,) = system.client.workers()
    return int(worker["pid"])


def run(system: System, body: str) -> dict[str, Any]:
    uuid = system.client.submit("Does", {"body": body})
    system.client.wait(uuid, DEADLINE_SECONDS)
    return system.client.info(uuid)


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_job_that_sends_what_is_not_a_frame_ends_and_nothing_else(
    one_slot: System, body: str
) -> None:
    memory = Memory(worker_pid(one_slot))

    info = run(one_slot, PIPE + body + WAIT)

    assert (info["state"], info["attempts"][-1]["cause"]) == ("failed", "crash")
    assert re.search("sent an? (invalid )?frame", info["attempts"][-1]["message"])
    assert run(one_slot, "return 7")["state"] == "succeeded"
    assert worker_pid(one_slot) == memory.pid
    assert memory.grown_bytes() < ROOM_BYTES


@pytest.mark.parametrize(
    "body",
    [
        "for _ in range(1500): ctx.info('x', rows='y' * 100_000)",
        "for _ in range(12_000): ctx.info('x', rows='y' * 9000)",
        "for _ in range(1000): ctx.info('x', rows=[[]] * 3000)",
        f"{PIPE}\nit = line(data=json.dumps({{'a': [[]] * 3000}}))\nfor _ in range(5000): send(it)",
    ],
    ids=["100 KB", "9 KB", "many objects", "raw"],
)
def test_a_job_that_logs_too_much_has_a_log_within_its_bounds(one_slot: System, body: str) -> None:
    memory = Memory(worker_pid(one_slot))

    info = run(one_slot, body)

    assert info["state"] == "succeeded"
    lines = [line for name in ("events", "warnings", "errors") for line in info[name]]
    assert len(lines) <= MAX_LOG_LINES + 20
    assert sum(len(str(line)) for line in lines) < 1.5 * MAX_LOG_BYTES
    assert memory.grown_bytes() < ROOM_BYTES
