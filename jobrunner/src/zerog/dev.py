"""`zerog dev`: a real beanstalkd, the API and a worker as child processes, with one readable log.

It stops them in the order worker, API, beanstalkd, so that running jobs may finish and
nothing accepted is lost. A part that dies is started again. All data lies in one folder
and survives.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.text import Text

from zerog import logs
from zerog.child import secrecy
from zerog.client.network import reaching
from zerog.console import ShownConsole
from zerog.devnote import FOLDER, DevNote, read_note, remove_note, write_note
from zerog.lines import Lines
from zerog.model.backoff import Backoff
from zerog.model.errors import ConfigError
from zerog.privatefile import FOLDER_MODE, check_no_links, make_folder
from zerog.queue.beanstalk.server import LocalBeanstalkd, die_with_parent, free_port
from zerog.shown import shown, shown_block

DEFAULT_PORT = 8080
#: A machine that is busy with other things may take minutes to import everything.
START_SECONDS = 180.0
#: How long the worker's jobs may go on after ^C; then the next part.
GRACE_SECONDS = 10.0
#: How long a part may take to stop, on top of that.
STOP_SECONDS = 15.0
#: Pauses before a part that died is started again.
PAUSES = Backoff(first_seconds=0.2, max_seconds=5.0, spread=0.0)
#: What is read at once of a part's output.
_CHUNK_BYTES = 64 * 1024
_LOGGER = "zerog.dev"
#: Before each line that modules of jobs print.
_OF_JOB = "job     | "
_STYLES = {"api": "blue", "worker": "green", "dev": "bold"}


@dataclass(frozen=True, slots=True)
class DevSettings:
    """What `zerog dev` was asked for."""

    jobs: tuple[str, ...]
    data: str = str(FOLDER)
    port: int | None = None
    queue_port: int | None = None
    slots: int | None = None
    reload: bool = False
    grace_seconds: float = GRACE_SECONDS
    #: Whether it says what to try next.
    hints: bool = True
    #: Of `zerog.logs.FORMATS`: its own and that of its parts.
    log_format: str = "text"


class Part:
    """A child process that is kept running, with its output in our log."""

    def __init__(
        self,
        name: str,
        arguments: list[str],
        env: dict[str, str],
        console: ShownConsole,
        stop_seconds: float,
        log_format: str = "text",
    ) -> None:
        self.name = name
        self._as_json = log_format == "json"
        self._stop_seconds = stop_seconds
        self._arguments = arguments
        self._env = env
        self._console = console
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Keep it running from now on."""
        self._stopping = False
        self._task = asyncio.create_task(self._keep_running(), name=self.name)

    async def stop(self) -> None:
        """SIGTERM, wait, SIGKILL."""
        self._stopping = True
        self.signal(signal.SIGTERM)
        if self._task is not None:
            done, _ = await asyncio.wait([self._task], timeout=self._stop_seconds)
            if not done:
                self.signal(signal.SIGKILL)
                await asyncio.wait([self._task], timeout=self._stop_seconds)

    def kill(self) -> None:
        """SIGKILL at once, for good."""
        self._stopping = True
        self.signal(signal.SIGKILL)

    async def restart(self) -> None:
        """Stop it and start it again."""
        await self.stop()
        self.start()

    def signal(self, signum: int) -> None:
        """Send it a signal."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signum)

    def say(self, text: str) -> None:
        """Write a line into the log."""
        if self._as_json:
            _say(self._console, Text(logs.json_line(_LOGGER, text, part=self.name)))
            return
        name = f"{self.name:<7} "
        below = shown_block(text, " " * len(name))
        _say(self._console, Text.assemble((name, _STYLES.get(self.name, "")), below))

    def say_of_job(self, text: str) -> None:
        """Write what modules of jobs print when they are imported: it passes for no record."""
        if self._as_json:
            _say(self._console, Text(logs.json_line(logs.JOBS, text, part=self.name)))
            return
        _say(self._console, Text.assemble((_OF_JOB, "dim"), shown(text)))

    def pass_on(self, text: str) -> None:
        """Write a line of the part's own log."""
        if self._as_json and text.startswith("{"):
            _say(self._console, Text(text))
        else:
            self.say(text)

    async def _keep_running(self) -> None:
        failures = 0
        while not self._stopping:
            started = time.monotonic()
            code = await self._run_once()
            if self._stopping:
                return
            failures = 1 if time.monotonic() - started > PAUSES.max_seconds else failures + 1
            pause = PAUSES.pause(failures)
            self.say(f"ended with code {code}, starts again in {pause:g} s")
            await asyncio.sleep(pause)

    async def _run_once(self) -> int:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "zerog",
            *self._arguments,
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # ^C goes to us, and we stop the parts in their order.
            process_group=0,
            preexec_fn=die_with_parent(),
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        # A part logs on standard error; on standard output is what modules print.
        await asyncio.gather(
            _read(self._process.stderr, self.pass_on), _read(self._process.stdout, self.say_of_job)
        )
        return await self._process.wait()


async def _read(stream: asyncio.StreamReader, say: Callable[[str], None]) -> None:
    """Say every line that comes, until the end."""
    lines = Lines()
    while chunk := await stream.read(_CHUNK_BYTES):
        for line in lines.feed(chunk):
            say(line)
    for line in lines.rest():
        say(line)


class Dev:
    """Everything on one machine."""

    def __init__(self, settings: DevSettings) -> None:
        self._settings = settings
        self._data = Path(settings.data).resolve()
        self._console = ShownConsole(stderr=True)
        self._port = _fixed(settings.port) if settings.port else _free_or(DEFAULT_PORT)
        self.url = f"http://127.0.0.1:{self._port}"

    def run(self) -> None:
        """Run until SIGINT or SIGTERM."""
        secrecy.hide_process()
        asyncio.run(self._run())

    async def _run(self) -> None:
        stop = asyncio.Event()
        parts: list[Part] = []

        seen: set[int] = set()

        def signalled(signum: int) -> None:
            # One ^C under a script is a SIGINT from the terminal and a SIGTERM from the script.
            if signum in seen:
                for part in parts:
                    part.kill()
            seen.add(signum)
            stop.set()

        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, signalled, signum)
        beanstalkd = LocalBeanstalkd(
            port=self._settings.queue_port,
            binlog=self._data / "beanstalkd",
            log=self._data / "beanstalkd.log",
        )
        _prepare(self._data, is_default=Path(self._settings.data) == FOLDER)
        try:
            await asyncio.to_thread(beanstalkd.start)
        except ConfigError as error:
            raise _explained(error, self._data) from error
        parts += self._parts(beanstalkd.address)
        try:
            for part in parts:
                part.start()
            if await self._wait_until_ready(stop):
                write_note(self._data, DevNote(self.url, os.getpid(), beanstalkd.address))
                self._say_hello(beanstalkd.address)
                await self._until(stop, *parts)
        finally:
            remove_note(self._data)
            for part in reversed(parts):
                part.say("stops")
                await part.stop()
            await asyncio.to_thread(beanstalkd.stop)
        goodbye = f"ZeroG has stopped; its data stays in {self._data}"
        if self._settings.log_format == "json":
            goodbye = logs.json_line(_LOGGER, goodbye)
        _say(self._console, Text(goodbye))

    def _parts(self, queue: str) -> list[Part]:
        env = {
            **{name: value for name, value in os.environ.items() if name != "ZEROG_JOBS"},
            "ZEROG_STORE": f"sqlite:///{self._data / 'zerog.db'}",
            "ZEROG_QUEUE": queue,
            # It listens on loopback, for whoever works on this machine.
            "ZEROG_AUTH": "off",
            "PYTHONUNBUFFERED": "1",
        }
        slots = str(self._settings.slots or os.cpu_count() or 1)
        worker = ["worker", *self._settings.jobs, "--slots", slots]
        worker += ["--grace-seconds", f"{self._settings.grace_seconds:g}"]
        worker += ["--log-format", self._settings.log_format]
        # With the jobs it refuses at once what their validators would refuse in the worker.
        api = ["api", "--port", str(self._port), "--jobs", *self._settings.jobs]
        api += ["--log-format", self._settings.log_format]
        patience = self._settings.grace_seconds + STOP_SECONDS
        return [
            Part(name, arguments, env, self._console, patience, self._settings.log_format)
            for name, arguments in (("api", api), ("worker", worker))
        ]

    async def _wait_until_ready(self, stop: asyncio.Event) -> bool:
        """Wait for the API and for the first job type. `ConfigError` if that takes too long."""
        deadline = time.monotonic() + START_SECONDS
        async with httpx.AsyncClient(base_url=self.url, timeout=5, **reaching(self.url)) as client:
            while time.monotonic() < deadline and not stop.is_set():
                with contextlib.suppress(httpx.TransportError):
                    ready = await client.get("/readyz")
                    types = await client.get("/v1/types")
                    workers = await client.get("/v1/workers")
                    if ready.is_success and types.json()["types"] and workers.json()["workers"]:
                        return True
                await asyncio.sleep(0.05)
        if stop.is_set():
            return False
        raise ConfigError(f"not ready after {START_SECONDS:g} s: the log above says why")

    async def _until(self, stop: asyncio.Event, api: Part, worker: Part) -> None:
        if not self._settings.reload:
            await stop.wait()
            return
        from watchfiles import PythonFilter, awatch

        folders = {Path(job).resolve().parent for job in self._settings.jobs if job.endswith(".py")}
        async for _ in awatch(
            *(folders or {Path.cwd()}), watch_filter=PythonFilter(), stop_event=stop
        ):
            worker.say("code has changed: drains and starts again")
            api.signal(signal.SIGUSR1)  # it imports the jobs again, and serves meanwhile
            await worker.restart()

    def _say_hello(self, queue: str) -> None:
        if self._settings.log_format == "json":
            where = {"url": self.url, "queue": queue, "data": str(self._data)}
            _say(self._console, Text(logs.json_line(_LOGGER, "ZeroG is up", **where)))
            return
        lines = [f" at {self.url} (queue {queue}, data {self._data})"]
        if self._settings.hints:
            there = "" if self._data == FOLDER.resolve() else f" --url {self.url}"
            lines += [
                "Try, in another terminal, in this folder:",
                f"  zerog types{there}",
                f"  zerog run TYPE key=value{there}",
                f"  open {self.url}/ and {self.url}/docs in a browser",
                "^C stops everything, and keeps the data.\n",
            ]
        _say(self._console, Text("\nZeroG is up", "bold").append("\n".join(lines), "not bold"))


def _say(console: ShownConsole, text: Text) -> None:
    """Write to the log. If nobody can read it any more, the program continues."""
    # rich ends the process where a pipe has no reader: in the midst of what runs, that is.
    with contextlib.suppress(OSError, SystemExit):
        console.print(text, soft_wrap=True)


def _prepare(folder: Path, *, is_default: bool) -> None:
    """Make the folder, for this user only. `ConfigError` if nothing can be written there."""
    if is_default:  # it may have come with a cloned repository
        try:
            check_no_links(FOLDER)
        except ConfigError as error:
            raise ConfigError(
                f"{error}: remove it, or give another folder with `--data FOLDER`"
            ) from None
    try:
        make_folder(folder)
        if is_default:  # another one may be shared on purpose
            folder.chmod(FOLDER_MODE)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"nothing can be written into the folder {folder} ({error.strerror}): "
            "give another one with `--data FOLDER`"
        ) from error


def _explained(error: ConfigError, folder: Path) -> ConfigError:
    """Say who has the folder, where it is a `zerog dev` that keeps the queue from starting."""
    try:
        other = read_note(folder)
    except ConfigError:
        other = None
    if other is None:
        return error
    return ConfigError(
        f"another `zerog dev` (process {other.pid}) has the folder {folder}: use that one, at "
        f"{other.url}, end it by ^C in its terminal, or give this one `--data FOLDER`"
    )


def _fixed(port: int) -> int:
    """Return the port if it is free; `ConfigError` says so before anything is started."""
    if not _is_free(port):
        raise ConfigError(f"port {port} is in use: give another one, or none to get a free one")
    return port


def _free_or(port: int) -> int:
    """Return the port if it is free, else another one that is."""
    return port if _is_free(port) else free_port()


def _is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False
