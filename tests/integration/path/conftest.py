"""A whole ZeroG made of real processes: beanstalkd, `zerog api`, `zerog worker`, over
one SQLite file or over the tests' Couchbase."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import greenstalk
import pytest
from tests.beanstalkd import Beanstalkd
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import new_scope
from tests.processes import start_zerog
from tests.readiness import is_success

from zerog.client import Client
from zerog_tools.cluster.ports import free_port

T = TypeVar("T")
JOBS = Path(__file__).with_name("jobs_for_tests.py")
#: For what usually takes a second. These machines are sometimes very slow.
DEADLINE_SECONDS = 200.0


def until(look: Callable[[], T | None], seconds: float = DEADLINE_SECONDS, what: str = "") -> T:
    """Look until something is there, and return it."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(pause)
        pause = min(1.25 * pause, 0.2)
    raise AssertionError(f"not within {seconds} s: {what or look}")


class System:
    """A ZeroG whose parts a test may kill, freeze and start again."""

    def __init__(
        self, folder: Path, couchbase: CouchbaseServer | None = None, *, cold: bool = False
    ) -> None:
        self.folder = folder
        #: Whether its processes are started as users start them: see `tests.processes`.
        self.cold = cold
        self.store_path = folder / "zerog.db"
        self.store = f"sqlite:///{self.store_path}"
        self.store_env: dict[str, str] = {}
        #: What its processes are started by, e.g. as another user.
        self.prefix: list[str] = []
        if couchbase is not None:
            self.store = couchbase.url(new_scope(couchbase))
            self.store_env = {"ZEROG_COUCHBASE_PASSWORD": couchbase.password}
        self.beanstalkd = Beanstalkd(binlog=folder / "binlog")
        self.port = free_port()
        self.client = Client(f"http://127.0.0.1:{self.port}", retry_seconds=DEADLINE_SECONDS)
        self.processes: list[subprocess.Popen[bytes]] = []
        self._logs = 0
        self._holds = 0

    @property
    def env(self) -> dict[str, str]:
        """The environment of its processes, and of a shell beside it."""
        clean = {name: v for name, v in os.environ.items() if not name.startswith("ZEROG_")}
        return {
            **clean,
            **self.store_env,
            "ZEROG_STORE": self.store,
            "ZEROG_QUEUE": self.beanstalkd.address,
            "ZEROG_URL": f"http://127.0.0.1:{self.port}",
        }

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        """Start a `zerog` process of this system."""
        self._logs += 1
        log = self.folder / f"{self._logs}-{arguments[0]}.log"
        with log.open("wb") as file:
            process = start_zerog(
                arguments, env={**self.env, **env}, stdout=file, prefix=self.prefix, cold=self.cold
            )
        self.processes.append(process)
        return process

    def start_api(self, **env: str) -> subprocess.Popen[bytes]:
        """Start the API and wait until it is ready."""
        process = self.start("api", "--port", str(self.port), **env)
        until(self.is_ready, what="the API is ready")
        return process

    def is_ready(self) -> bool:
        """Whether the API says so."""
        return is_success(f"http://127.0.0.1:{self.port}/readyz")

    def start_worker(
        self, *arguments: str, jobs: Path = JOBS, **env: str
    ) -> subprocess.Popen[bytes]:
        """Start a worker and wait until it has registered its types."""
        process = self.start("worker", str(jobs), *arguments, **env)
        until(
            lambda: process.pid in [worker["pid"] for worker in self.client.workers()],
            what="the worker is there",
        )
        return process

    def stop(self, process: subprocess.Popen[bytes], signum: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end."""
        process.send_signal(signum)
        return process.wait(DEADLINE_SECONDS)

    def running(self, uuid: str) -> dict[str, Any]:
        """Wait until a job runs and has reported something; return its info."""

        def look() -> dict[str, Any] | None:
            info = self.client.info(uuid)
            return info if info["state"] == "running" and info["events"] else None

        return until(look, what=f"job {uuid} runs")

    def submit_held(self, **parameters: Any) -> tuple[str, Path]:
        """Submit a job of steps, wait until it runs. It goes on when the returned file is made."""
        self._holds += 1
        hold = self.folder / f"hold-{self._holds}"
        uuid = self.client.submit("Steps", {**parameters, "hold": str(hold)})
        self.running(uuid)
        return uuid, hold

    def wait_for_touch(self, entry: int) -> None:
        """Wait until whoever has reserved an entry of the queue prolongs that."""
        with greenstalk.Client(("127.0.0.1", self.beanstalkd.port)) as queue:
            lowest = queue.stats_job(entry)["time-left"]

            def look() -> bool:
                nonlocal lowest
                before, lowest = lowest, queue.stats_job(entry)["time-left"]
                return bool(lowest > before)

            until(look, what="the reservation is prolonged")

    def entries(self) -> dict[int, str]:
        """Return the first entries of the queue's server, by id."""
        with greenstalk.Client(("127.0.0.1", self.beanstalkd.port)) as queue:
            found: dict[int, str] = {}
            for number in range(1, 20):
                with contextlib.suppress(greenstalk.NotFoundError):
                    found[number] = str(queue.peek(number).body)
            return found

    def causes(self, uuid: str) -> list[str]:
        """Return why each attempt of a job ended."""
        return [attempt.get("cause", "") for attempt in self.client.info(uuid)["attempts"]]

    def close(self) -> None:
        """End everything."""
        self.client.close()
        for process in self.processes:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                    process.kill()
                process.wait(DEADLINE_SECONDS)
        self.beanstalkd.signal(signal.SIGCONT)
        self.beanstalkd.kill()


#: For tests whose sentence has to hold on both stores.
on_both_stores = pytest.mark.parametrize("store_kind", ["sqlite", "couchbase"], scope="module")


@pytest.fixture(scope="module")
def store_kind() -> str:
    """The store of a test that does not say; see `on_both_stores`."""
    return "sqlite"


@pytest.fixture(scope="module")
def cold() -> bool:
    """Whether a module's processes are started as users start them: for tests about memory,
    descriptors, and what `/proc` shows."""
    return False


@pytest.fixture
def system(
    tmp_path: Path, store_kind: str, cold: bool, request: pytest.FixtureRequest
) -> Iterator[System]:
    """Beanstalkd and API; the test starts its workers."""
    server = request.getfixturevalue("couchbase") if store_kind == "couchbase" else None
    with running_system(System(tmp_path, server, cold=cold)) as made:
        yield made


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory,
    store_kind: str,
    cold: bool,
    request: pytest.FixtureRequest,
) -> Iterator[System]:
    """A whole system with one worker, for tests that break nothing."""
    server = request.getfixturevalue("couchbase") if store_kind == "couchbase" else None
    with running_system(System(tmp_path_factory.mktemp("shared"), server, cold=cold)) as made:
        made.start_worker("--slots", "2", ZEROG_CANCEL_GRACE_SECONDS="0.5",
                          ZEROG_KILL_GRACE_SECONDS="0.5")  # fmt: skip
        yield made


@pytest.fixture(scope="module")
def one_slot(tmp_path_factory: pytest.TempPathFactory, cold: bool) -> Iterator[System]:
    """A system whose worker runs one job at a time: `Does`, of which a test writes the body."""
    with running_system(System(tmp_path_factory.mktemp("one"), cold=cold)) as made:
        made.start_worker(jobs=JOBS.with_name("jobs_of_authors.py"),
                          ZEROG_CANCEL_GRACE_SECONDS="5")  # fmt: skip
        yield made


@contextlib.contextmanager
def running_system(made: System, **env: str) -> Iterator[System]:
    """Start beanstalkd and API, and end everything; print what the processes said."""
    try:
        made.beanstalkd.start()
        made.start_api(**env)
        yield made
    finally:
        made.close()
        for log in sorted(made.folder.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
