"""Whatever a job returns, raises or does, the worker learns what happened."""

from typing import Any

import pytest

from zerog.child.handle import NurseryHandle
from zerog.model.events import Invalid, Raised, Returned

from .running import Attempt

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVIL = "class E({base}):\n  def __str__(self): raise RuntimeError('evil')\n  __repr__ = __str__\n"
#: Finds the job's pipe to its worker: the only socket.
PIPE = (
    "def is_pipe(fd):\n"
    "  try: return os.readlink(f'/proc/self/fd/{fd}').startswith('socket:')\n"
    "  except OSError: return False\n"
    "pipe = next(int(fd) for fd in os.listdir('/proc/self/fd') if is_pipe(fd))\n"
)

JOBS = {
    "Value": "return {'a': [1, None, 'ü', 2**70]}",
    "Nothing": "return None",
    # Errors.
    "Surrogate": "raise ValueError('\\ud800')",
    "Evil": EVIL.format(base="Exception") + "raise E",
    "EvilBase": EVIL.format(base="BaseException") + "raise E",
    "Huge": "raise ValueError('x' * 40_000_000)",
    "Exit": "sys.exit(0)",
    "Recursion": "def f(): f()\nf()",
    "Signal": "raise zerog.Finish('404')",
    # Output without a JSON form.
    "Generator": "return {'a': [(x for x in [1])]}",
    "Digits": "return 10**5000",
    "Nan": "return [1.0, float('nan')]",
    "FinishData": "raise zerog.Finish(200, data=map(str, [1]))",
    "State": "ctx.state['x'] = object()",
    "Deep": "d = 1\nfor _ in range(5000): d = [d]\nreturn d",
    # Deaths.
    "OsExit": "ctx.info('last words')\nos._exit(7)",
    "OsExitZero": "try:\n  return 1\nfinally:\n  os._exit(0)",
    "Kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "Segfault": "import ctypes\nctypes.string_at(0)",
    "ClosePipe": "os.closerange(3, 1000)\nreturn 1",
    "ClosePipeAndStay": "os.closerange(3, 1000)\ntime.sleep(1000)",
    "Nonsense": PIPE + "os.write(pipe, b'\\0\\0\\0\\2{}')\ntime.sleep(1000)",
    "HugeFrame": PIPE + "os.write(pipe, b'\\xff' * 8)\ntime.sleep(1000)",
}
FIELDS = "number: int = 3"


async def run(nursery: NurseryHandle, name: str, **parameters: Any) -> Attempt:
    child = await nursery.fork()
    attempt = await Attempt(child, name, parameters=parameters).over()
    child.discard(5)
    return attempt


async def test_a_value_arrives_as_it_was_returned(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "Value")

    assert attempt.data == {"a": [1, None, "ü", 2**70]}
    assert attempt.spoiled is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Surrogate", "ValueError: \\ud800"),
        ("Evil", "E: <E without a text: its __str__ raised RuntimeError>"),
        ("EvilBase", "E: <E without a text: its __str__ raised RuntimeError>"),
        ("Huge", "ValueError: xxx"),
        ("Exit", "SystemExit: 0"),
        ("Recursion", "RecursionError: maximum recursion depth exceeded"),
        ("Signal", "TypeError: a result code is an int from 0 to 9999, not str '404'"),
    ],
)
async def test_an_error_has_a_message_and_a_traceback(
    nursery: NurseryHandle, name: str, message: str
) -> None:
    attempt = await run(nursery, name)

    assert isinstance(attempt.end, Raised)
    assert attempt.end.message.startswith(message)
    assert attempt.lines[0].level == "error"
    assert "in run" in attempt.logged(0)["traceback"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Generator", "output['a'][0] is a generator"),
        ("Digits", "output has no JSON form: an integer with too many digits"),
        ("Nan", "output[1] has no JSON form"),
        ("FinishData", "output is a map"),
        ("State", "ctx.state['x'] has no JSON form"),
        ("Deep", "nests more than"),
    ],
)
async def test_an_output_that_cannot_be_kept_is_final_and_named_by_its_path(
    nursery: NurseryHandle, name: str, said: str
) -> None:
    attempt = await run(nursery, name)

    assert isinstance(attempt.end, Returned)
    assert attempt.end.code == 500
    assert said in (attempt.end.message or "")
    assert attempt.messages == [attempt.end.message]


@pytest.mark.parametrize(
    ("name", "exitcode", "reason"),
    [
        ("OsExit", 7, None),
        ("OsExitZero", 0, "the job ended its process by os._exit(0)"),
        ("Kill", -9, None),
        ("Segfault", -11, None),
        ("ClosePipe", -9, "the job closed its process's pipe to the worker"),
        ("ClosePipeAndStay", -9, "the job closed its process's pipe to the worker"),
        ("Nonsense", -9, "the job's process sent an invalid frame"),
        ("HugeFrame", -9, "the job's process sent a frame of 4294967295 bytes"),
    ],
)
async def test_a_death_has_an_exit_code_and_a_reason(
    nursery: NurseryHandle, name: str, exitcode: int, reason: str | None
) -> None:
    attempt = await run(nursery, name)

    assert attempt.death is not None
    if name == "ClosePipe":  # the process may notice by itself, before it is killed
        assert attempt.death.exitcode in (exitcode, 231)
        assert "closed" in (attempt.death.reason or "")
        return
    assert attempt.death.exitcode == exitcode
    if reason is None:
        assert attempt.death.reason is None
    else:
        assert (attempt.death.reason or "").startswith(reason)


async def test_what_a_job_said_last_arrives_before_its_death(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "OsExit")

    assert attempt.messages == ["last words"]


async def test_an_unknown_type_and_wrong_parameters_are_final(nursery: NurseryHandle) -> None:
    unknown = await run(nursery, "Nowhere")
    wrong = await run(nursery, "Value", number="text", colour=1)

    assert unknown.end == Invalid(1, "no job type Nowhere in this worker")
    assert isinstance(wrong.end, Invalid)
    assert "number: Input should be a valid integer" in wrong.end.message
    assert "colour: Extra inputs are not permitted" in wrong.end.message


async def test_a_frame_that_cannot_be_sent_is_refused_at_once(nursery: NurseryHandle) -> None:
    child = await nursery.fork()

    with pytest.raises(ValueError, match="no JSON form"):
        Attempt(child, "Value", parameters={"x": object()})
    with pytest.raises(ValueError, match="more than"):
        Attempt(child, "Value", parameters={"x": "y" * 40_000_000})

    attempt = await Attempt(child, "Nothing").over()
    assert attempt.data is None
    child.discard(5)
