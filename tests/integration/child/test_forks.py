"""A process that a job forks never speaks for the job."""

import pytest

from zerog.child.handle import NurseryHandle
from zerog.model.events import Returned

from .running import Attempt

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: The fork leaves `run` at once; the job itself ends when it is gone, or without waiting for it.
WAIT = "\nos.waitpid(pid, 0)\nreturn 'the job'"
LEAVE = "\nreturn 'the job'"
JOBS = {
    "Exit": "pid = os.fork()\nif pid == 0: sys.exit(0)" + WAIT,
    "Return": "pid = os.fork()\nif pid == 0: return 'the fork'" + WAIT,
    "Raise": "pid = os.fork()\nif pid == 0: raise ValueError('the fork')" + WAIT,
    "Signal": "pid = os.fork()\nif pid == 0: raise zerog.Finish(404)" + WAIT,
    "Report": (
        "pid = os.fork()\nif pid == 0:\n"
        "  info, progress = lambda: ctx.info('x'), lambda: ctx.set_completeness(1)\n"
        "  for use in (info, progress, ctx.save_state, ctx.check):\n"
        "    try: use()\n    except RuntimeError: continue\n    os._exit(1)\n"
        "  os._exit(0)\n"
        "return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])"
    ),
    "Pool": (
        "import multiprocessing\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool: return pool.map(abs, [-1, -2])"
    ),
    "Async": (
        "async def body():\n  pid = os.fork()\n  if pid == 0: return 'the fork'\n"
        "  os.waitpid(pid, 0)\n  return 'the job'\nreturn body()"
    ),
    "Threaded": (
        "def fork():\n  pid = os.fork()\n  if pid: os.waitpid(pid, 0)\n"
        "thread = threading.Thread(target=fork)\nthread.start()\nthread.join()" + LEAVE
    ),
    "Terminate": (
        "import multiprocessing\n"
        "process = multiprocessing.get_context('fork').Process(target=time.sleep, args=(1000,))\n"
        "process.start()\nprocess.terminate()\nprocess.join()\nreturn process.exitcode"
    ),
    "Unwaited": "pid = os.fork()\nif pid == 0: return 'the fork'" + LEAVE,
    "Next": "return 'the next job'",
}  # fmt: skip


@pytest.mark.parametrize("name", ["Exit", "Return", "Raise", "Signal", "Async", "Threaded"])
async def test_a_fork_that_leaves_run_is_not_heard(nursery: NurseryHandle, name: str) -> None:
    child = await nursery.fork()

    attempt = await Attempt(child, name).over()
    following = await Attempt(child, "Next").over()

    assert attempt.data == "the job"
    assert attempt.spoiled is None
    assert attempt.frames == [attempt.end_frame]
    assert following.data == "the next job"
    child.discard(5)


@pytest.mark.parametrize(("name", "data"), [("Report", 0), ("Pool", [1, 2]), ("Terminate", -15)])
async def test_forks_that_work_for_the_job_do_so(
    nursery: NurseryHandle, name: str, data: object
) -> None:
    child = await nursery.fork()

    attempt = await Attempt(child, name).over()

    assert attempt.data == data
    assert attempt.messages == []
    child.discard(5)


async def test_a_fork_that_nobody_waits_for_spoils_the_process(nursery: NurseryHandle) -> None:
    child = await nursery.fork()

    attempt = await Attempt(child, "Unwaited").over()

    assert isinstance(attempt.end, Returned)
    assert attempt.data == "the job"
    assert attempt.spoiled == "processes"
    child.discard(5)
