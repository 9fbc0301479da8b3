"""Recording a trace from a real beanstalkd."""

import asyncio
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.beanstalkd import Beanstalkd

from zerog.cli import codes
from zerog.cli.main import main
from zerog.model.errors import QueueUnavailableError
from zerog.model.names import tube_name
from zerog.queue import connect_producer, connect_queue
from zerog_simulate.generate import load_trace
from zerog_simulate.record import Recording, record, to_trace
from zerog_tools.cluster.ports import free_port

JOBS, SLOTS, JOB_SECONDS = 8, 2, 0.75
DEADLINE_SECONDS = 60


@pytest.fixture
def server() -> Iterator[Beanstalkd]:
    made = Beanstalkd()
    made.start()
    yield made
    made.kill()


async def put(address: str, queue: str, count: int) -> None:
    producer = await connect_producer(address)
    for number in range(count):
        await producer.put(tube_name(queue), f"job-{number}")
    await producer.close()


async def work(address: str, queue: str, count: int) -> list[float]:
    """Take jobs as a worker's slot does; return how long each took, in seconds."""
    taken = []
    connection = await connect_queue(address)
    await connection.watch([tube_name(queue)])
    for _ in range(count):
        entry = await connection.reserve(DEADLINE_SECONDS)
        assert entry is not None
        reserved = time.monotonic()
        await asyncio.sleep(JOB_SECONDS)
        await connection.delete(entry.id)
        taken.append(time.monotonic() - reserved)
    await connection.close()
    return taken


async def test_a_recording_counts_what_comes_and_measures_how_long_it_takes(
    server: Beanstalkd,
) -> None:
    await put(server.address, "media", 3)  # these were there before: not recorded
    begun = asyncio.Event()
    looks: list[float] = []
    job_seconds: list[float] = []

    def progress(part: float, recording: Recording) -> None:
        looks.append(time.monotonic())
        begun.set()

    watching = asyncio.create_task(record(server.address, "media", 8, progress=progress))
    await asyncio.wait_for(begun.wait(), DEADLINE_SECONDS)
    await put(server.address, "media", JOBS)
    share = (JOBS + 3 + 1) // SLOTS
    slots = [work(server.address, "media", count) for count in (share, JOBS + 3 - share)]
    for taken in await asyncio.gather(*slots):
        job_seconds += taken
    trace = to_trace(await watching, "media", believed_seconds=30.0)

    assert trace.jobs == JOBS
    assert trace.seconds == pytest.approx(looks[-1] - looks[0], abs=1.0)
    lengths = {item.job_seconds for item in trace.arrivals if item.jobs}
    # A sample a second cannot see jobs of less than that exactly, but on average.
    mean = statistics.mean(job_seconds)
    assert all(0.5 * mean < length < 2 * mean for length in lengths), (lengths, job_seconds)


async def test_a_queue_that_is_not_there_is_an_error_at_once() -> None:
    with pytest.raises(QueueUnavailableError, match="cannot be reached"):
        await record(f"127.0.0.1:{free_port()}", "media", 5)


def test_the_command_writes_a_trace_that_can_be_simulated(
    server: Beanstalkd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recorded.csv"
    stop = threading.Event()

    def load() -> None:
        while not stop.wait(0.1):
            asyncio.run(put(server.address, "media", 1))

    loading = threading.Thread(target=load)
    loading.start()
    try:
        code = main(
            [
                "simulate",
                "record",
                "--queue",
                "media",
                "--queue-address",
                server.address,
                "--seconds",
                "3",
                "--expected-job-seconds",
                "2",
                "-o",
                str(path),
            ]
        )
    finally:
        stop.set()
        loading.join(20)

    assert code == codes.OK
    assert "jobs in 3 s" in capsys.readouterr().err
    trace = load_trace(str(path))
    assert trace.jobs >= 2
    assert {item.job_seconds for item in trace.arrivals if item.jobs} == {2.0}
    assert main(["simulate", "--trace", str(path), "--tries", "0", "--json"]) == codes.OK
    assert f'"jobs": {trace.jobs}' in capsys.readouterr().out


def test_a_recording_without_jobs_fails_and_says_so(
    server: Beanstalkd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(
        [
            "simulate",
            "record",
            "--queue",
            "media",
            "--queue-address",
            server.address,
            "--seconds",
            "1",
            "-o",
            str(tmp_path / "empty.csv"),
        ]
    )

    assert code == codes.FAILED
    said = capsys.readouterr().err
    assert "no job came" in said
    assert "has no queue media now; it has: none" in " ".join(said.split())
