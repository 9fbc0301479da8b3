"""What a job reports arrives: whole, or with a note on what was cut."""

from pathlib import Path

import pytest

from zerog.child.handle import NurseryHandle
from zerog.model.limits import MAX_LOG_LINES

from .running import Attempt

pytestmark = pytest.mark.asyncio(loop_scope="module")

JOBS = {
    "Lines": "for n in range(self.count): ctx.info(f'line {n}')",
    "Data": "for n in range(self.count): ctx.info(f'line {n}', rows='x' * 100_000)",
    "Huge": "ctx.info('x' * 17_000_000)\nctx.info('a', rows='y' * 17_000_000)\nctx.info('z')",
    "Failing": "for n in range(self.count): ctx.info(f'line {n}')\nraise ValueError('at the end')",
    "Progress": "for n in ctx.track(range(100_000)): pass",
    "Saves": "for n in range(100_000):\n  ctx.state['n'] = n\n  ctx.save_state()",
    "Emptied": "ctx.state.clear()",
    "Unchanged": "return ctx.state",
    "Threads": (
        "def write(name):\n  for n in range(200): ctx.info(f'{name} {n}')\n"
        "threads = [threading.Thread(target=write, args=(n,)) for n in range(5)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()"
    ),
}
FIELDS = "count: int = 0"


async def run(nursery: NurseryHandle, name: str, count: int = 0, **how: object) -> Attempt:
    child = await nursery.fork()
    attempt = await Attempt(child, name, parameters={"count": count}, **how).over()
    child.discard(5)
    return attempt


async def test_every_line_arrives_in_order(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "Lines", 5000)

    assert attempt.messages == [f"line {n}" for n in range(5000)]
    assert [line.seq for line in attempt.lines] == list(range(5000))


async def test_more_lines_than_are_kept_are_counted(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "Lines", MAX_LOG_LINES + 500)

    assert attempt.messages[:MAX_LOG_LINES] == [f"line {n}" for n in range(MAX_LOG_LINES)]
    full, dropped = attempt.messages[MAX_LOG_LINES:]
    assert full.startswith("the log is full")
    assert dropped == "500 lines were dropped"


async def test_each_line_with_too_much_data_says_so(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "Data", 200)

    assert len(attempt.lines) == 200
    assert all("100011 bytes of data cut" in message for message in attempt.messages)


async def test_a_huge_line_drops_no_other(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "Huge")

    assert [message[:1] for message in attempt.messages] == ["x", "a", "z"]
    assert attempt.messages[0].endswith("(17000000 characters)")


async def test_a_traceback_is_written_into_a_full_log(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "Failing", MAX_LOG_LINES + 1)

    assert attempt.messages[-2:] == ["ValueError: at the end", "1 lines were dropped"]


async def test_the_last_completeness_arrives_before_the_end(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "Progress")

    assert attempt.completeness[-1] == 1.0
    assert attempt.completeness == sorted(attempt.completeness)
    assert attempt.frames[-1] is attempt.end_frame


async def test_the_last_saved_state_arrives_before_the_end(nursery: NurseryHandle) -> None:
    attempt = await run(nursery, "Saves")

    assert attempt.states[-1] == {"n": 99_999}
    assert attempt.data is None
    assert attempt.end.state == '{"n":99999}'  # type: ignore[union-attr]


async def test_an_emptied_state_is_empty_and_an_unchanged_one_is_not_sent(
    nursery: NurseryHandle,
) -> None:
    emptied = await run(nursery, "Emptied", state='{"row":1}')
    unchanged = await run(nursery, "Unchanged", state='{"row":1}')

    assert emptied.end.state == "{}"  # type: ignore[union-attr]
    assert unchanged.end.state is None  # type: ignore[union-attr]
    assert unchanged.data == {"row": 1}


async def test_threads_of_a_job_may_all_report(nursery: NurseryHandle, tmp_path: Path) -> None:
    attempt = await run(nursery, "Threads")

    assert sorted(attempt.messages) == sorted(f"{t} {n}" for t in range(5) for n in range(200))
    assert [line.seq for line in attempt.lines] == list(range(1000))
    assert attempt.spoiled is None
