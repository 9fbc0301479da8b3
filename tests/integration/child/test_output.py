"""What a job prints, logs and warns of is in its log, and in no other job's."""

import asyncio
from pathlib import Path

import pytest

from zerog.child.handle import NurseryHandle
from zerog.model.limits import MAX_LOG_LINES

from .running import Attempt, job, nursery_of, write_jobs

pytestmark = pytest.mark.asyncio(loop_scope="module")

JOBS = {
    "Prints": "print('a', 1)\nprint()\nprint('b', file=sys.stderr)\nctx.info('c')\nprint('d')",
    "Unended": "print('x', end='', flush=True)\nprint('y', end='')",
    "Bytes": "sys.stdout.buffer.write(b'\\xff\\xfe\\n')\nsys.stdout.buffer.write(b'\\x00z\\n')",
    "Halves": "print('\\ud83d')",
    "Megabyte": "sys.stdout.write('x' * 1_000_000)\nsys.stdout.write('y' * 1_000_000)",
    "Bar": "for n in range(1000): print(f'\\r{n} of 1000', end='', file=sys.stderr)\nprint()",
    "Many": f"for n in range({MAX_LOG_LINES} + 50): print(n)\nraise ValueError('at the end')",
    "Logs": (
        "import logging\nlog = logging.getLogger('acme')\n"
        "log.debug('no')\nlog.info('yes %d', 1)\nlog.warning('hm')\nlog.critical('oh')\n"
        "try: 1 / 0\nexcept ZeroDivisionError: log.exception('failed')"
    ),
    "Configures": "import logging\nlogging.basicConfig()\nlogging.info('once')",
    "Forces": "import logging\nlogging.basicConfig(force=True)\nlogging.warning('as text')",
    "Wrong": "import logging\nlogging.info('%d', 'x')",
    "Warns": "import warnings\nwarnings.warn('beware')",
    "Recursive": (
        "import logging\n"
        "class Chatty:\n"
        "  def __str__(self): logging.info('inner'); return 'outer'\n"
        "logging.info(Chatty())\nctx.info(Chatty())\nprint(Chatty())"
    ),
    "Finalizers": (
        "import logging\n"
        "class Last:\n"
        "  def __init__(self): self.me = self\n"
        "  def __del__(self): logging.info('gone'); print('printed'); ctx.info('told')\n"
        "for n in range(1500): Last(); ctx.info('x'); ctx.set_completeness(n / 1500)\n"
        "import gc; gc.collect()"
    ),
    "Threads": (
        "def write(name):\n  for n in range(200): print(name, n)\n"
        "threads = [threading.Thread(target=write, args=(n,)) for n in range(5)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()"
    ),
    "ThreadDies": (
        "thread = threading.Thread(target=lambda: 1 / 0, name='one')\nthread.start(); thread.join()"
    ),
    "Loop": (
        "import asyncio\n"
        "async def fail(): raise ValueError('unseen')\n"
        "async def main():\n"
        "  task = asyncio.ensure_future(fail())\n"
        "  await asyncio.sleep(0)\n"
        "  del task; import gc; gc.collect()\n"
        "asyncio.run(main(), debug=True)"
    ),
    "Program": "import subprocess\nsubprocess.run('echo out; echo err >&2', shell=True)",
    "Forks": (
        "import multiprocessing as mp\n"
        "with mp.get_context('fork').Pool(3) as pool: pool.map(print, range(30), 1)"
    ),
    "ForkLogs": (
        "import logging\nif os.fork() == 0:\n"
        "  logging.warning('from a fork'); os._exit(0)\nos.wait()"
    ),
    "Leaves": (
        "import subprocess\nprint('begun', end='')\n"
        "subprocess.Popen('while true; do echo late; done', shell=True, start_new_session=True)"
    ),
    "Replaces": "import io\nsys.stdout = io.StringIO()\nprint('mine')\nsys.stdout.close()",
    "Redirects": (
        "import contextlib, io\ntext = io.StringIO()\n"
        "with contextlib.redirect_stdout(text): print('x')\n"
        "print('again', text.getvalue())"
    ),
    "Floods": (
        "import fcntl\nfcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 2**20)\n"
        "os.write(1, b'x' * (2**20 - 1) + b'\\n')"
    ),
    "Crashes": "import ctypes\nprint('before', end='')\nctypes.string_at(0)",
    "Quiet": "return sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.fileno()",
}


async def run(nursery: NurseryHandle, name: str) -> Attempt:
    child = await nursery.fork()
    attempt = await Attempt(child, name).over()
    child.discard(5)
    return attempt


async def test_printed_lines_stand_in_order_with_the_other_lines(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "Prints")

    assert attempt.logged_by == [
        ("info", "stdout", "a 1"),
        ("info", "stderr", "b"),
        ("info", None, "c"),
        ("info", "stdout", "d"),
    ]
    assert attempt.printed == b""
    assert attempt.spoiled is None


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        ("Unended", ["xy"]),
        ("Bytes", ["\ufffd\ufffd", "\0z"]),
        ("Halves", ["\\ud83d"]),
        ("Bar", ["999 of 1000"]),
        ("Configures", ["once"]),
        ("Redirects", ["again x"]),
        ("Replaces", []),
    ],
)
async def test_a_line_is_what_a_terminal_would_show(
    nursery: NurseryHandle, name: str, messages: list[str]
) -> None:
    assert (await run(nursery, name)).messages == messages


async def test_a_megabyte_without_a_line_end_is_cut_with_a_note(nursery: NurseryHandle) -> None:
    (message,) = (await run(nursery, "Megabyte")).messages

    assert message.startswith("xxx")
    assert message.endswith("more bytes of this line are not shown)")
    assert "1,996,004" in message


async def test_what_is_printed_counts_as_lines_do_and_the_traceback_finds_room(
    nursery: NurseryHandle,
) -> None:
    attempt = await run(nursery, "Many")

    assert attempt.messages[:MAX_LOG_LINES] == [str(n) for n in range(MAX_LOG_LINES)]
    assert attempt.messages[-2:] == ["ValueError: at the end", "50 lines were dropped"]


async def test_records_of_loggers_have_level_logger_and_traceback(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "Logs")

    assert attempt.logged_by == [
        ("info", "acme", "yes 1"),
        ("warning", "acme", "hm"),
        ("error", "acme", "oh"),
        ("error", "acme", "failed"),
    ]
    assert attempt.logged(3)["traceback"].endswith("ZeroDivisionError: division by zero\n")
    assert attempt.spoiled is None


async def test_a_job_that_configures_logging_by_force_loses_no_record(
    nursery: NurseryHandle,
) -> None:
    attempt = await run(nursery, "Forces")

    assert attempt.logged_by == [("info", "stderr", "WARNING:root:as text")]
    assert attempt.spoiled == "logging"


async def test_a_wrong_record_is_reported_and_does_no_harm(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "Wrong")

    assert "--- Logging error ---" in attempt.messages
    assert attempt.data is None


async def test_warnings_and_what_ends_a_thread_or_task_have_their_levels(
    nursery: NurseryHandle,
) -> None:
    warned = (await run(nursery, "Warns")).logged_by
    threads = await run(nursery, "ThreadDies")
    tasks = await run(nursery, "Loop")

    assert [line[:2] for line in warned] == [("warning", "py.warnings")]
    assert "UserWarning: beware" in warned[0][2]
    failed = ("error", "threading", "exception in one: ZeroDivisionError: division by zero")
    assert threads.logged_by == [failed]
    assert "1 / 0" in threads.logged(0)["traceback"]
    assert ("error", "asyncio") in [line[:2] for line in tasks.logged_by]


async def test_texts_that_log_are_no_endless_loop(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "Recursive")

    assert attempt.messages == ["inner", "outer", "inner", "outer", "inner", "outer"]


async def test_a_finalizer_may_report_wherever_it_runs(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "Finalizers")

    for message in ("x", "gone", "printed", "told"):
        assert attempt.messages.count(message) == 1500
    assert attempt.data is None


async def test_lines_of_threads_do_not_mix(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "Threads")

    assert sorted(attempt.messages) == sorted(f"{t} {n}" for t in range(5) for n in range(200))
    assert attempt.spoiled is None


async def test_programs_and_forks_print_past_python(nursery: NurseryHandle) -> None:
    program = await run(nursery, "Program")
    forks = await run(nursery, "Forks")
    logs = await run(nursery, "ForkLogs")

    assert sorted(program.printed.splitlines()) == [b"err", b"out"]
    assert program.spoiled is None
    assert sorted(map(int, forks.printed.splitlines())) == list(range(30))
    assert logs.printed == b"WARNING root: from a fork\n"


async def test_what_a_job_leaves_behind_prints_into_no_other_job(nursery: NurseryHandle) -> None:
    child = await nursery.fork()
    first = await Attempt(child, "Leaves").over()
    second = await Attempt(child, "Prints").over()
    third = await Attempt(child, "Unended").over()
    child.discard(5)

    assert first.messages == ["begun"]
    assert second.messages == ["a 1", "b", "c", "d"]
    assert second.printed == b""
    assert third.messages == ["xy"]


async def test_a_job_that_enlarges_its_pipe_leaves_nothing_in_it(nursery: NurseryHandle) -> None:
    child = await nursery.fork()
    first = await Attempt(child, "Floods").over()
    second = await Attempt(child, "Unended").over()
    child.discard(5)

    assert len(first.printed) == 2**20
    assert second.printed == b""


async def test_a_crash_shows_where_python_stood(nursery: NurseryHandle) -> None:
    attempt = Attempt(await nursery.fork(), "Crashes")
    await attempt.died()

    assert b"Fatal Python error: Segmentation fault" in attempt.printed
    assert b"string_at" in attempt.printed


async def test_the_streams_are_those_of_a_program_without_a_terminal(
    nursery: NurseryHandle,
) -> None:
    assert (await run(nursery, "Quiet")).data == [False, "utf-8", 1]


AT_IMPORT = """
import logging, sys
kept = sys.stderr
logging.basicConfig(level=logging.DEBUG, format="text %(message)s")
own = logging.getLogger("own")
own.propagate = False
own.addHandler(logging.StreamHandler())
logging.getLogger("child").addHandler(logging.StreamHandler(sys.stdout))
print("imported")
"""
BODY = (
    "logging.debug('a')\nown.warning('b')\nlogging.getLogger('child').info('c')\n"
    "print('d', file=kept)"
)


async def test_handlers_of_the_import_write_each_record_once(tmp_path: Path) -> None:
    async with nursery_of(write_jobs(tmp_path, AT_IMPORT + job(BODY))) as nursery:
        attempt = await Attempt(await nursery.fork(), "It").over()

    assert attempt.logged_by == [
        ("info", "root", "a"),
        ("warning", "own", "b"),
        ("info", "child", "c"),
        ("info", "stderr", "d"),
    ]


async def test_a_type_that_does_not_log_output_prints_past_its_log(tmp_path: Path) -> None:
    fields = "class Options:\n    log_output = False"
    body = "import logging\nprint('a')\nlogging.warning('b')\nctx.info('c')"
    async with nursery_of(write_jobs(tmp_path, job(body, fields=fields))) as nursery:
        assert not nursery.types[0].log_output
        attempt = await Attempt(await nursery.fork(), "It").over()

    assert attempt.messages == ["c"]
    assert attempt.printed == b"a\nWARNING root: b\n"


async def test_no_descriptor_is_left_of_a_child(nursery: NurseryHandle) -> None:
    child = await nursery.fork()
    printed = child._printed
    await Attempt(child, "Prints").over()
    child.discard(5)

    async with asyncio.timeout(30):
        while child._printed is not None:
            await asyncio.sleep(0.01)
    assert printed is not None
