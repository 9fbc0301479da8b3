"""A job that changes its process costs that process, and nothing else."""

import pytest

from zerog.child.handle import NurseryHandle

from .running import Attempt

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: What is reported of a change, and a change.
CHANGES = {
    "working directory": "os.chdir('/')",
    "working directory ": "import tempfile\nd = tempfile.mkdtemp()\nos.chdir(d)\nos.rmdir(d)",
    "environment": "os.environ['A_NEW_ONE'] = 'x'",
    "umask": "os.umask(0)",
    "signal handlers": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "signal handlers ": "signal.signal(signal.SIGUSR1, print)",
    "blocked signals": "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])",
    "timers": "signal.signal(signal.SIGALRM, signal.SIG_DFL)\nsignal.alarm(1000)",
    "resource limits": "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))",
    "nice value": "os.nice(1)",
    "standard streams": "sys.stdout.close()",
    "standard streams ": "sys.stdout = sys.stderr = None",
    "standard files": "os.dup2(os.open('/dev/null', os.O_WRONLY), 1)",
    "open files (": "type(self).leaked = [open('/dev/null') for _ in range(100)]",
    "threads (Thread-1 (sleep))": (
        "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()"
    ),
    "threads (unnamed)": (
        "import _thread\n_thread.start_new_thread(time.sleep, (1000,))\n"
        "while not _thread._count(): pass"
    ),
    "hooks": "sys.excepthook = print",
    "hooks ": "threading.settrace(lambda *_: None)",
    "interpreter settings": "sys.setrecursionlimit(999)",
    "interpreter settings ": "sys.setswitchinterval(1)",
    "interpreter settings  ": "import gc\ngc.disable()",
    "interpreter settings   ": "sys.argv.append('x')",
    "fault handler": "import faulthandler\nfaulthandler.disable()",
    "time zone": "os.environ['TZ'] = 'UTC+5'\ntime.tzset()\ndel os.environ['TZ']",
    "import path": "sys.path.append('/nowhere')",
    "replaced functions": "import builtins\nbuiltins.open = print",
    "replaced functions ": "time.sleep = print",
    "locale": "import locale\nlocale.setlocale(locale.LC_ALL, 'C')",
    "decimal context": "import decimal\ndecimal.getcontext().prec = 3",
    "socket timeout": "import socket\nsocket.setdefaulttimeout(3)",
    "warning filters": "import warnings\nwarnings.simplefilter('error')",
    "temporary directory": "import tempfile\ntempfile.tempdir = '/nowhere'",
    "asyncio policy": (
        "import asyncio\n"
        "asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())"
    ),
    "logging": "import logging\nlogging.disable()",
    "processes": "import subprocess\nsubprocess.Popen(['sleep', '1000'])",
}  # fmt: skip
HARMLESS = {
    "random": "import random\nreturn random.random()",
    "numbers": "import decimal\nreturn str(decimal.Decimal(1) / 3)",
    "temporary files": "import tempfile\nwith tempfile.TemporaryFile() as file: file.write(b'x')",
    "a subprocess": "import subprocess\nsubprocess.run(['true'], check=True)",
    "threads": "t = threading.Thread(target=print)\nt.start()\nt.join()",
    "asyncio": "async def body(): return 1\nreturn body()",
    "output": "print('x' * 10000)\nsys.stderr.write('y')",
    "logging": "ctx.logger.warning('x')",
    "reports": "for n in ctx.track(range(10000)): ctx.state['n'] = n",
}
#: What cannot be seen, or is shared with other processes, is undone.
UNDONE = {
    "Watchdog": "import faulthandler\nfaulthandler.dump_traceback_later(2, exit=True)",
    "Nonblocking": "os.set_blocking(1, False)\nos.set_blocking(2, False)",
    "After": "time.sleep(2.5)\nreturn [os.get_blocking(1), os.get_blocking(2)]",
}
JOBS = {
    **UNDONE,
    **{f"Change{n}": f"{body}\nreturn 1" for n, body in enumerate(CHANGES.values())},
    **{f"Harmless{n}": body for n, body in enumerate(HARMLESS.values())},
}


@pytest.mark.parametrize("what", CHANGES)
async def test_a_change_is_reported_with_the_end(nursery: NurseryHandle, what: str) -> None:
    child = await nursery.fork()

    attempt = await Attempt(child, f"Change{list(CHANGES).index(what)}").over()

    assert attempt.data == 1
    assert what.rstrip() in (attempt.spoiled or "")
    child.discard(5)


@pytest.mark.parametrize("what", HARMLESS)
async def test_ordinary_work_changes_nothing(nursery: NurseryHandle, what: str) -> None:
    child = await nursery.fork()
    name = f"Harmless{list(HARMLESS).index(what)}"

    attempts = [await Attempt(child, name).over() for _ in range(2)]

    assert [attempt.spoiled for attempt in attempts] == [None, None]
    if what == "random":
        assert attempts[0].data != attempts[1].data
    child.discard(5)


@pytest.mark.parametrize("name", ["Watchdog", "Nonblocking"])
async def test_what_would_reach_another_job_unseen_is_undone(
    nursery: NurseryHandle, name: str
) -> None:
    child = await nursery.fork()

    await Attempt(child, name).over()
    following = await Attempt(child, "After").over()

    assert following.data == [True, True]
    child.discard(5)
