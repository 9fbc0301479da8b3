"""A module that cannot be imported is named with its line; the others run."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from zerog.child.handle import NurseryHandle
from zerog.model.errors import ConfigError, NurseryError

from .running import Attempt, job, nursery_of, write_jobs
from .test_processes import is_alive, until

#: What a module does in its third line, and what is said of it.
FAILURES = {
    "ModuleNotFoundError: No module named 'nowhere_at_all'": "import nowhere_at_all",
    "SyntaxError": "def broken(:",
    "it called sys.exit(3)": "sys.exit(3)",
    "it called os._exit(3)": "os._exit(3)",
    "its import ended the process by SIGSEGV, at": "import ctypes; ctypes.string_at(0)",
    "its import ended the process by SIGABRT, at": "os.abort()",
    "its import ended the process by SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "started threads when it was imported (poller)": (
        "threading.Thread(target=time.sleep, args=(1000,), name='poller').start()"
    ),
}
HANGS = {
    "sleep": "time.sleep(1000)",
    "loop": "while True: pass",
    "subprocess": "import subprocess; subprocess.run(['sleep', '1000'])",
    "extension": "import re; re.match('(a+)+b', 'a' * 100)",  # never lets another thread run
}
FINE = job("return 1", "Fine")


@pytest.mark.parametrize("said", FAILURES)
async def test_a_failing_module_is_named_and_the_others_run(tmp_path: Path, said: str) -> None:
    bad = write_jobs(tmp_path, FAILURES[said] + "\n", "bad_jobs")
    fine = write_jobs(tmp_path, FINE, "fine_jobs")

    async with nursery_of(bad, fine) as nursery:
        attempt = await Attempt(await nursery.fork(), "Fine").over()

        assert attempt.data == 1
        assert [document.name for document in nursery.types] == ["Fine"]
        (failure,) = nursery.failures.values()
    assert failure.startswith(f"the module {bad} ")
    assert said in failure
    assert f"{bad}:3" in failure or said.endswith(("SIGKILL", "(poller)"))


@pytest.mark.parametrize("how", HANGS)
async def test_an_import_that_hangs_is_ended_and_named_with_its_line(
    tmp_path: Path, how: str
) -> None:
    bad = write_jobs(tmp_path, HANGS[how] + "\n", "hanging_jobs")

    with pytest.raises(ConfigError, match=rf"takes longer than 1 s, at {bad}:3"):
        await NurseryHandle.start([bad], start_seconds=1)


@pytest.mark.parametrize("leaves", ["pass", "sys.exit()", "raise ValueError"])
async def test_a_process_that_a_module_forks_ends_where_it_leaves_the_module(
    tmp_path: Path, leaves: str
) -> None:
    text = f"PID = os.fork()\nif PID == 0: {leaves}\n" + job("return PID", "Fork")
    path = write_jobs(tmp_path, text)

    async with nursery_of(path) as nursery:
        attempt = await Attempt(await nursery.fork(), "Fork").over()

        assert nursery.failures == {}
        await until(lambda: not is_alive(attempt.data))


async def test_without_any_module_that_works_all_are_named(tmp_path: Path) -> None:
    one = write_jobs(tmp_path, "1 / 0\n", "one_jobs")
    two = write_jobs(tmp_path, "os.abort()\n", "two_jobs")

    with pytest.raises(ConfigError) as refused:
        await NurseryHandle.start([one, two])

    assert f"{one}:3: ZeroDivisionError" in str(refused.value)
    assert f"SIGABRT, at {two}:3" in str(refused.value)


async def test_modules_without_jobs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no class derives from"):
        await NurseryHandle.start([write_jobs(tmp_path, "x = 1\n")])


#: Notes its process and hangs.
HANGING = "import subprocess\np = subprocess.Popen(['sleep', '1000'])\n" + (
    "open({note!r}, 'w').write(f'{{os.getpid()}} {{p.pid}}\\n')\ntime.sleep(1000)\n"
)


def pids_in(note: Path) -> list[int]:
    text = note.read_text() if note.exists() else ""
    return [int(word) for word in text.split()] if text.endswith("\n") else []


async def test_a_start_that_is_given_up_leaves_no_process(tmp_path: Path, note: Path) -> None:
    path = write_jobs(tmp_path, HANGING.format(note=str(note)))
    start = asyncio.create_task(NurseryHandle.start([path]))
    await until(lambda: pids_in(note))

    start.cancel()
    await asyncio.wait([start])

    assert start.cancelled()
    await until(lambda: not any(map(is_alive, pids_in(note))))


async def test_a_nursery_ends_at_once_by_sigterm_while_it_imports(
    tmp_path: Path, note: Path
) -> None:
    path = write_jobs(tmp_path, HANGING.format(note=str(note)))
    start = asyncio.create_task(NurseryHandle.start([path]))
    await until(lambda: pids_in(note))

    os.kill(pids_in(note)[0], signal.SIGTERM)

    with pytest.raises((ConfigError, NurseryError), match="ended the process"):
        await start
    await until(lambda: not any(map(is_alive, pids_in(note))))


async def test_a_serving_nursery_leaves_sigterm_to_its_worker(tmp_path: Path) -> None:
    async with nursery_of(write_jobs(tmp_path, FINE)) as nursery:
        assert nursery.pid is not None

        os.kill(nursery.pid, signal.SIGTERM)

        assert (await Attempt(await nursery.fork(), "Fine").over()).data == 1


async def test_a_file_named_like_a_standard_module_breaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [
        write_jobs(tmp_path, job(f"import {name}\nreturn {name}.__file__", name.title()), name)
        for name in ("email", "json", "queue")
    ]

    async with nursery_of(*paths) as nursery:
        for name in ("Email", "Json", "Queue"):
            attempt = await Attempt(await nursery.fork(), name).over()
            assert not attempt.data.startswith(str(tmp_path))


async def test_a_nursery_whose_modules_changed_is_refused_until_they_change_back(
    tmp_path: Path,
) -> None:
    path = Path(write_jobs(tmp_path, FINE))
    text = path.read_text()
    async with nursery_of(str(path)) as nursery:

        async def restarted(written: str) -> None:
            if nursery.poll() is None and nursery.pid is not None:
                os.kill(nursery.pid, signal.SIGKILL)
            await until(lambda: nursery._control is None)
            path.write_text(written)
            await nursery.fork()

        for changed, said in [
            (text + job("return 1", "Another"), "have changed: restart this worker"),
            (text + "\nos.abort()\n", "SIGABRT"),
            (text + "\n1 / 0\n", "ZeroDivisionError"),
        ]:
            with pytest.raises(NurseryError, match=said):
                await restarted(changed)

        await restarted(text)
        assert (await Attempt(await nursery.fork(), "Fine").over()).data == 1
