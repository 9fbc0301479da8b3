"""Whatever an author writes into `run`: no job touches another, and what it says arrives or is
refused with the reason."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from .conftest import DEADLINE_SECONDS, System, until

pytestmark = pytest.mark.timeout(600)


@dataclass
class Done:
    """How a job ended."""

    state: str
    code: int
    data: Any
    message: str
    events: list[str]
    causes: list[str]


def does(system: System, body: str, job_type: str = "Does") -> Done:
    """Run a job with this body to its end."""
    uuid = system.client.submit(job_type, {"body": body})
    ended = system.client.wait(uuid, DEADLINE_SECONDS)
    data = system.client.data(uuid) if ended["state"] == "succeeded" else None
    events = [event["message"] for event in system.client.info(uuid)["events"]]
    return Done(
        ended["state"], ended["resultCode"], data, ended.get("message") or "", events,
        [cause for cause in system.causes(uuid) if cause != "interrupted"],
    )  # fmt: skip


FORK = "pid = os.fork()\nif pid == 0: "
C_FORK = "import ctypes\npid = ctypes.CDLL(None).fork()\nif pid == 0: "
WAIT = "\nos.waitpid(pid, 0)\nreturn 'A'"
#: The job itself returns "A", or ends its process.
FORKS = {
    "exits, and the job is slow": f"{FORK}sys.exit(0)\ntime.sleep(0.5)\nreturn 'A'",
    "exits": f"{FORK}sys.exit(0){WAIT}",
    "returns": f"{FORK}return 'the fork'{WAIT}",
    "raises": f"{FORK}raise ValueError{WAIT}",
    "is interrupted": f"{FORK}raise KeyboardInterrupt{WAIT}",
    "finishes": f"{FORK}raise zerog.Finish(404){WAIT}",
    "continues": f"{FORK}return zerog.Continue(0){WAIT}",
    "forks again": f"{FORK}\n  os.fork()\n  return 'the fork'{WAIT}",
    "outlives the job": f"{FORK}\n  time.sleep(0.2)\n  return 'the fork'\nreturn 'A'",
    "has a terminal": f"import pty\npid, fd = pty.fork()\nif pid == 0: return 'the fork'{WAIT}",
    "is C's": f"{C_FORK}return 'the fork'{WAIT}",
    "is C's and reports": f"{C_FORK}\n  ctx.info('the fork')\n  return 'the fork'{WAIT}",
    "is of uvloop": (
        "async def body():\n  pid = os.fork()\n  if pid == 0: return 'the fork'\n"
        "  os.waitpid(pid, 0)\n  return 'A'\nreturn uvloop.run(body())"
    ),
    "is of a thread": (
        "def fork():\n  pid = os.fork()\n  if pid == 0: raise SystemExit\n  os.waitpid(pid, 0)\n"
        "thread = threading.Thread(target=fork)\nthread.start()\nthread.join()\nreturn 'A'"
    ),
    "is of a pool": (
        "with futures.ProcessPoolExecutor(2, multiprocessing.get_context('fork')) as pool:\n"
        "  return ''.join(pool.map(str, 'A'))"
    ),
}


@pytest.mark.parametrize("how", FORKS)
def test_a_process_that_a_job_forks_never_speaks_for_it(one_slot: System, how: str) -> None:
    done = does(one_slot, FORKS[how])
    following = does(one_slot, "time.sleep(0.3 * (not self.body))\nreturn 'B'")

    assert (done.data, done.events, done.causes) == ("A", [], ["succeeded"])
    assert (following.data, following.causes) == ("B", ["succeeded"])


def test_a_process_whose_job_is_dead_never_speaks_for_it(one_slot: System) -> None:
    dead = does(one_slot, f"{FORK}\n  time.sleep(0.2)\n  return 'the fork'\nos._exit(0)")
    following = does(one_slot, "time.sleep(0.4)\nreturn 'B'")

    assert dead.causes == ["crash"]
    assert following.data == "B"


THREAD = "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
LIMIT = "import resource\nresource.setrlimit(resource.RLIMIT_{}, (20, 20))"
#: What a job leaves, and what the next one sees.
LEFTOVERS = {
    "a closed stdout": (f"sys.stdout.close()\n{THREAD}", "print('x', flush=True)", None),
    "no streams": (f"sys.stdout = sys.stderr = None\n{THREAD}", "print('x', flush=True)", None),
    "streams that raise": (
        "class Bad:\n  def flush(self): raise SystemExit(3)\n  write = flush\n"
        f"sys.stdout = sys.stderr = Bad()\n{THREAD}",
        "print('x', flush=True)", None,
    ),
    "a closed file for stdout": ("sys.stdout = open('/dev/null')\nsys.stdout.close()",
                                 "print('x', flush=True)", None),
    "closed descriptors": ("os.close(1)\nos.close(2)", "return os.write(2, b'x')", 1),
    "no waiting for stdout": ("os.set_blocking(1, False)", "return os.get_blocking(1)", True),
    "a removed directory": ("os.chdir(tempfile.mkdtemp())\nos.rmdir(os.getcwd())",
                            "return os.path.isdir(os.getcwd())", True),
    "a removed directory and an error": (
        "os.chdir(tempfile.mkdtemp())\nos.rmdir(os.getcwd())\nraise ValueError",
        "return subprocess.run(['pwd'], capture_output=True).returncode", 0,
    ),
    "few files": (LIMIT.format("NOFILE"), "return len([open('/dev/null') for _ in '0' * 50])", 50),
    "leaked files": ("type(self).files = [open('/dev/null') for _ in range(100)]",
                     "return len(os.listdir('/proc/self/fd')) < 50", True),
    "a timer": ("signal.setitimer(signal.ITIMER_REAL, 0.1)", "time.sleep(0.2)\nreturn 1", 1),
    "a watchdog": ("import faulthandler\nfaulthandler.dump_traceback_later(0.1, exit=True)",
                   "time.sleep(0.2)\nreturn 1", 1),
    "blocked signals": ("signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])",
                        "return len(signal.pthread_sigmask(signal.SIG_BLOCK, []))", 0),
    "a recursion limit": ("sys.setrecursionlimit(100)", "return sys.getrecursionlimit()", 1000),
    "an empty environment": ("os.environ.clear()", "return 'PATH' in os.environ", True),
    "a time zone": ("os.environ['TZ'] = 'UTC+5'\ntime.tzset()\ndel os.environ['TZ']",
                    "return time.timezone == 18000", False),
    "arguments": ("sys.argv[:] = ['x']", "return sys.argv == ['x']", False),
    "warnings as errors": ("import warnings\nwarnings.simplefilter('error')",
                           "import warnings\nwarnings.warn('x')\nreturn 1", 1),
    "a decimal context": ("decimal.getcontext().prec = 3", "return decimal.getcontext().prec", 28),
    "a socket timeout": ("import socket\nsocket.setdefaulttimeout(1)",
                         "import socket\nreturn socket.getdefaulttimeout()", None),
    "a mask": ("os.umask(0o777)", "return os.umask(0o22)", 0o22),
    "a nice value": ("os.nice(5)", "return os.nice(0)", os.nice(0)),
    "an event loop": ("asyncio.set_event_loop(asyncio.new_event_loop())",
                      "async def body(): return 1\nreturn body()", 1),
}  # fmt: skip


@pytest.mark.parametrize("what", LEFTOVERS)
def test_what_a_job_leaves_does_not_reach_the_next(one_slot: System, what: str) -> None:
    leave, look, seen = LEFTOVERS[what]

    left = does(one_slot, leave)
    following = does(one_slot, look)

    assert left.causes == [("error" if "raise ValueError" in leave else "succeeded")]
    assert (following.state, following.data) == ("succeeded", seen), following


def test_jobs_beside_one_that_spoils_its_process_go_on(one_slot: System) -> None:
    bodies = [f"sys.stdout.close()\n{THREAD}", "return 1"] * 3

    uuids = [one_slot.client.submit("Does", {"body": body}) for body in bodies]

    states = [one_slot.client.wait(uuid, DEADLINE_SECONDS)["state"] for uuid in uuids]
    assert states == ["succeeded"] * 6


def test_each_job_has_random_numbers_of_its_own(one_slot: System) -> None:
    body = "import random\nreturn random.random()"

    assert len({does(one_slot, body).data for _ in range(3)}) == 3


#: A value that can be read only once, and where it is.
ITERATORS = {
    "return (x for x in [1])": "output is a generator",
    "return map(str, [1])": "output is a map",
    "return filter(None, [1])": "output is a filter",
    "return reversed([1])": "output is a list_reverseiterator",
    "return itertools.count()": "output is a count",
    "return open('/dev/null')": "output is a TextIOWrapper",
    "return {'rows': [zip([1])]}": "output['rows'][0] is a zip",
    "return zerog.Result(iter([1]))": "output is a list_iterator",
    "raise zerog.Finish(200, data=map(str, [1]))": "output is a map",
    "ctx.info('x', rows=map(str, [1]))": "data['rows'] is a map",
    "ctx.state['rows'] = iter([1])": "ctx.state['rows'] is a list_iterator",
}


@pytest.mark.parametrize("body", ITERATORS)
def test_what_can_be_read_only_once_is_refused_by_its_path(one_slot: System, body: str) -> None:
    done = does(one_slot, body)

    assert (done.state, done.code) == ("failed", 500)
    assert ITERATORS[body] in done.message
    assert "list(...)" in done.message


SECOND = "if ctx.attempt == 1:\n  ctx.state['x'] = 1\n  return zerog.Continue(0)\n"


@pytest.mark.parametrize(
    "empty",
    ["ctx.state.clear()", "ctx.state = {}", "del ctx.state", "del ctx.state['x']",
     "ctx.state.popitem()", "ctx.state.clear()\n  ctx.save_state()"],
)  # fmt: skip
def test_an_emptied_state_stays_empty(one_slot: System, empty: str) -> None:
    body = f"{SECOND}if ctx.attempt == 2:\n  {empty}\n  return zerog.Continue(0)\nreturn ctx.state"

    assert does(one_slot, body).data == {}


@pytest.mark.parametrize(
    "seconds", ["timedelta(minutes=5)", "300", "300.0", "decimal.Decimal(300)",
                "fractions.Fraction(300)"],
)  # fmt: skip
def test_a_job_that_continues_waits_as_long_as_it_says(one_slot: System, seconds: str) -> None:
    uuid = one_slot.client.submit("Does", {"body": f"return zerog.Continue({seconds})"})

    until(lambda: one_slot.client.progress(uuid)["state"] == "waiting")
    due = datetime.fromisoformat(one_slot.client.get(uuid)["notBeforeTime"])
    assert 200 < (due - datetime.now(UTC)).total_seconds() <= 300
    one_slot.client.cancel(uuid)


WRONG = [
    "return zerog.Continue('300')", "return zerog.Continue(True)", "return zerog.Continue(None)",
    "return zerog.Continue(-1)", "return zerog.Continue(float('inf'))", "zerog.Continue(5e9)",
    "return zerog.Continue(decimal.Decimal('nan'))", "raise zerog.Retry('why')",
    "raise zerog.Finish('404')", "raise zerog.Finish(404.0)", "raise zerog.Finish(None)",
    "raise zerog.Finish(True)", "raise zerog.Finish", "return zerog.Result(1, '404')",
    "return zerog.Result(1, None)", "return zerog.Finish(404)", "raise zerog.Continue(1)",
    "signal = zerog.Finish(404)\nsignal.code = '200'\nraise signal", "ctx.state = None",
]  # fmt: skip


@pytest.mark.parametrize("body", WRONG)
def test_a_wrong_argument_of_a_signal_is_an_error_of_the_job(one_slot: System, body: str) -> None:
    done = does(one_slot, body)

    assert (done.state, done.code) == ("failed", 500)
    assert done.causes[0] in ("error", "finished")  # and no crash
    assert done.message


EVIL = "class E(Exception):\n  def __str__(self): {}\nraise E"
#: How a job fails: its code, and what the record says.
FAILURES = {
    "raise zerog.Retry(1, ValueError('x'))": (500, "ValueError: x"),
    "raise zerog.Finish(404, ValueError('x'))": (404, "ValueError: x"),
    "raise zerog.Finish(404, b'\\xff')": (404, "b'\\xff'"),
    "raise zerog.Finish(404, 10**5000)": (404, "<int without a text"),
    "raise zerog.Finish(404, 'x' * 40_000_000)": (404, "xxx"),
    "import http\nraise zerog.Finish(http.HTTPStatus.NOT_FOUND, 'x')": (404, "x"),
    "raise ValueError(b'\\xff')": (500, "ValueError: b'\\xff'"),
    "raise ValueError('\\ud800')": (500, "ValueError: \\ud800"),
    "raise ValueError('x' * 40_000_000)": (500, "ValueError: xxx"),
    "raise ValueError(10**5000)": (500, "ValueError: <ValueError without a text"),
    EVIL.format("raise RuntimeError"): (500, "E: <E without a text: its __str__ raised Runtime"),
    EVIL.format("sys.exit()"): (500, "E: <E without a text: its __str__ raised SystemExit"),
    EVIL.format("return 5"): (500, "E: <E without a text: its __str__ raised TypeError"),
    "raise ExceptionGroup('g', [ValueError(1)])": (500, "ExceptionGroup: g"),
    "raise GeneratorExit": (500, "GeneratorExit"),
    "raise asyncio.CancelledError": (500, "CancelledError"),
    "raise MemoryError": (500, "MemoryError"),
    "def f(): f()\nf()": (500, "RecursionError"),
    "return 10**5000": (500, "an integer with too many digits"),
    "return {'a': [float('nan')]}": (500, "output['a'][0] has no JSON form"),
    "return '\\ud800'": (500, "a text with a lone surrogate"),
    "return b'\\xff'": (500, "bytes that is not UTF-8 text"),
    "return lambda: 1": (500, "output has no JSON form: function"),
    "x = []\nx.append(x)\nreturn x": (500, "nests more than"),
    "ctx.info('x', a='\\ud800')": (500, "data['a'] has no JSON form"),
}


@pytest.mark.parametrize("body", FAILURES, ids=range(len(FAILURES)))
def test_whatever_a_job_raises_or_returns_is_said_and_no_crash(one_slot: System, body: str) -> None:
    done = does(one_slot, body)

    code, message = FAILURES[body]
    assert (done.state, done.code) == ("failed", code)
    assert message in done.message
    assert done.causes[0] in ("error", "finished")


def test_a_log_of_much_data_has_all_its_lines(one_slot: System) -> None:
    done = does(one_slot, "for n in range(200): ctx.info(f'{n}', rows='x' * 100_000)")

    assert [event.split(" (100011 bytes of data cut")[0] for event in done.events] == [
        str(n) for n in range(200)
    ]


def test_a_huge_line_is_cut_and_drops_no_other(one_slot: System) -> None:
    done = does(one_slot, "ctx.info('a')\nctx.info('x' * 17_000_000)\nctx.info('z')")

    assert [event[:1] for event in done.events] == ["a", "x", "z"]
    assert done.events[1].endswith("(17000000 characters)")


def test_lines_of_forked_helpers_are_refused_with_a_clear_error(one_slot: System) -> None:
    body = (
        "def report(n):\n  try: ctx.info(str(n))\n  except RuntimeError as error: os._exit(7)\n"
        "helpers = [multiprocessing.get_context('fork').Process(target=report, args=(n,))\n"
        "           for n in range(4)]\n"
        "for helper in helpers: helper.start()\n"
        "for helper in helpers: helper.join()\n"
        "ctx.info('of the job')\nreturn [helper.exitcode for helper in helpers]"
    )

    done = does(one_slot, body)

    assert done.data == [7] * 4
    assert done.events == ["of the job"]


SLOW = "async def body():\n  try: await asyncio.sleep(1000)\n  finally: ctx.info('cleaned up')\n"


@pytest.mark.parametrize(
    "call", ["uvloop.run(body())", "asyncio.run(body())", "body()",
             "uvloop.new_event_loop().run_until_complete(body())"],
)  # fmt: skip
def test_a_timeout_lets_an_event_loop_clean_up(one_slot: System, call: str) -> None:
    done = does(one_slot, f"{SLOW}return {call}", "DoesShortly")

    assert (done.state, done.code) == ("failed", 408)
    assert "cleaned up" in done.events
