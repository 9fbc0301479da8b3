"""A cancel or a timeout ends the job where it stands, and `finally` runs."""

import signal
from pathlib import Path

import pytest

from zerog.child.handle import NurseryHandle
from zerog.model.events import Returned, Stopped

from .running import Attempt

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOTE = "open(self.path, 'a').write('cleaned up')"
ASYNC = (
    "import asyncio, uvloop\n"
    "async def body():\n  try:\n    ctx.info('runs')\n    {wait}\n"
    f"  finally:\n    await asyncio.sleep(0.01)\n    {NOTE}\n"
)
WAIT, BLOCK = "await asyncio.sleep(1000)", "time.sleep(1000)"
JOBS = {
    "Sync": f"try:\n  ctx.info('runs')\n  time.sleep(1000)\nfinally:\n  {NOTE}",
    "Async": ASYNC.format(wait=WAIT) + "return body()",
    "AsyncBlocked": ASYNC.format(wait=BLOCK) + "return body()",
    "AsyncioRun": ASYNC.format(wait=WAIT) + "return asyncio.run(body())",
    "UvloopRun": ASYNC.format(wait=WAIT) + "return uvloop.run(body())",
    "UvloopBlocked": ASYNC.format(wait=BLOCK) + "return uvloop.run(body())",
    "UvloopInstalled": ASYNC.format(wait=WAIT) + "uvloop.install()\nreturn body()",
    "TaskGroup": (
        ASYNC.format(wait=WAIT) + "async def group():\n"
        "  async with asyncio.TaskGroup() as tasks: tasks.create_task(body())\nreturn group()"
    ),
    "TaskGroupBlocked": (
        ASYNC.format(wait=BLOCK) + "async def group():\n"
        "  async with asyncio.TaskGroup() as tasks: tasks.create_task(body())\nreturn group()"
    ),
    "Reporting": (
        f"try:\n  ctx.info('runs')\n  while True:\n    ctx.set_completeness(0.5)\n"
        f"    ctx.state['n'] = 1\n    ctx.save_state()\n    ctx.info('x')\nfinally:\n  {NOTE}"
    ),
    "Threads": (
        "def report():\n  while not ctx.cancelled: ctx.set_completeness(0.5)\n"
        "threads = [threading.Thread(target=report) for _ in range(4)]\n"
        "for thread in threads: thread.start()\n"
        f"try:\n  ctx.info('runs')\n  time.sleep(1000)\nfinally:\n  {NOTE}\n"
        "  for thread in threads: thread.join()"
    ),
    "Polite": f"ctx.info('runs')\nwhile not ctx.cancelled: time.sleep(0.01)\n{NOTE}\nctx.check()",
    "Late": "ctx.info('runs')\nwhile not ctx.cancelled: time.sleep(0.01)\nreturn 'done anyway'",
    "Quick": "return 1",
    "Signalled": "os.kill(os.getpid(), signal.SIGTERM)\nreturn 1",
}
OTHERS = {"Polite", "Late", "Quick", "Signalled"}
FIELDS = "path: str = ''"


@pytest.mark.parametrize("why", ["cancel", "timeout"])
@pytest.mark.parametrize("name", [name for name in JOBS if name not in OTHERS])
async def test_a_job_that_must_end_cleans_up(
    nursery: NurseryHandle, note: Path, name: str, why: str
) -> None:
    attempt = Attempt(await nursery.fork(), name, parameters={"path": str(note)})
    await attempt.said("runs")

    attempt.cancel(why)
    attempt.child.kill(signal.SIGTERM)
    await attempt.over()

    assert isinstance(attempt.end, Stopped)
    assert note.read_text() == "cleaned up"
    attempt.child.discard(5)


async def test_a_job_may_notice_a_cancel_by_itself(nursery: NurseryHandle, note: Path) -> None:
    attempt = Attempt(await nursery.fork(), "Polite", parameters={"path": str(note)})
    await attempt.said("runs")

    attempt.cancel()
    await attempt.over()

    assert isinstance(attempt.end, Stopped)
    assert note.read_text() == "cleaned up"
    attempt.child.discard(5)


async def test_a_result_that_comes_after_a_cancel_stands(nursery: NurseryHandle) -> None:
    attempt = Attempt(await nursery.fork(), "Late")
    await attempt.said("runs")

    attempt.cancel()
    await attempt.over()

    assert isinstance(attempt.end, Returned)
    assert attempt.data == "done anyway"
    attempt.child.discard(5)


async def test_a_cancel_of_an_earlier_run_ends_no_later_one(nursery: NurseryHandle) -> None:
    child = await nursery.fork()
    first = await Attempt(child, "Quick").over()

    first.cancel()
    child.kill(signal.SIGTERM)
    second = await Attempt(child, "Quick").over()

    assert (first.data, second.data) == (1, 1)
    child.discard(5)


async def test_a_sigterm_that_no_cancel_explains_is_ignored(nursery: NurseryHandle) -> None:
    child = await nursery.fork()

    attempt = await Attempt(child, "Signalled").over()

    assert attempt.data == 1
    child.discard(5)
