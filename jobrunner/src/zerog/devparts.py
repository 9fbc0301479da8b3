"""The child processes of `zerog dev`: each is kept running, and its output goes into one log."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable

from rich.text import Text

from zerog import logs
from zerog.console import ShownConsole
from zerog.lines import Lines
from zerog.model.backoff import Backoff
from zerog.queue.beanstalk.server import die_with_parent
from zerog.shown import shown, shown_block

#: Pauses before a part that died is started again.
PAUSES = Backoff(first_seconds=0.2, max_seconds=5.0, spread=0.0)
#: What a part ends with whose settings or jobs are wrong (`zerog.cli.codes.USAGE`).
CANNOT_START = 2
#: What is read at once of a part's output.
_CHUNK_BYTES = 64 * 1024
#: Who writes the log's own lines.
LOGGER = "zerog.dev"
#: Before each line that modules of jobs print.
_OF_JOB = "job     | "
_STYLES = {"api": "blue", "worker": "green", "dev": "bold"}


class Part:
    """A child process that is kept running, with its output in our log.

    One that says that it cannot start would say so again: it is left until somebody restarts it.
    """

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
        #: It cannot start as things are: it is not tried again before `restart`.
        self.is_broken = False
        self._stopped = asyncio.Event()

    def start(self) -> None:
        """Keep it running from now on."""
        self._stopping = self.is_broken = False
        self._stopped.clear()
        self._task = asyncio.create_task(self._keep_running(), name=self.name)

    async def stop(self) -> None:
        """SIGTERM, wait, SIGKILL."""
        self._stopping = True
        self._stopped.set()
        self.signal(signal.SIGTERM)
        if self._task is not None:
            done, _ = await asyncio.wait([self._task], timeout=self._stop_seconds)
            if not done:
                self.signal(signal.SIGKILL)
                await asyncio.wait([self._task], timeout=self._stop_seconds)

    def kill(self) -> None:
        """SIGKILL at once, for good."""
        self._stopping = True
        self._stopped.set()
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
            say(self._console, Text(logs.json_line(LOGGER, text, part=self.name)))
            return
        name = f"{self.name:<7} "
        below = shown_block(text, " " * len(name))
        say(self._console, Text.assemble((name, _STYLES.get(self.name, "")), below))

    def say_of_job(self, text: str) -> None:
        """Write what modules of jobs print when they are imported: it passes for no record."""
        if self._as_json:
            say(self._console, Text(logs.json_line(logs.JOBS, text, part=self.name)))
            return
        say(self._console, Text.assemble((_OF_JOB, "dim"), shown(text)))

    def pass_on(self, text: str) -> None:
        """Write a line of the part's own log."""
        if self._as_json and text.startswith("{"):
            say(self._console, Text(text))
        else:
            self.say(text)

    async def _keep_running(self) -> None:
        failures = 0
        while not self._stopping:
            started = time.monotonic()
            code = await self._run_once()
            if self._stopping:
                return
            if code == CANNOT_START:
                self.is_broken = True
                await self._stopped.wait()
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


def say(console: ShownConsole, text: Text) -> None:
    """Write to the log. If nobody can read it any more, the program continues."""
    # rich ends the process where a pipe has no reader: in the midst of what runs, that is.
    with contextlib.suppress(OSError, SystemExit):
        console.print(text, soft_wrap=True)
