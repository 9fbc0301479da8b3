"""Run programs of the images that `make images` built, on the network of this machine.

docker and podman run them as containers with a read-only root. buildah's chroot, which works
on machines where no container starts, changes root and user only. What a pod adds is for the
end-to-end tests.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 20.0


class Runner:
    """Starts programs of images."""

    def __init__(self, builder: str, storage: list[str]) -> None:
        self._builder = builder
        self._storage = storage

    def load(self, archive: Path) -> None:
        """Make an image known; another checkout may have built one of the same name."""
        if self._builder == "buildah":
            self._buildah("pull", "-q", f"docker-archive:{archive}")
        else:
            command = [self._builder, "load", "-q", "-i", str(archive)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)

    @contextlib.contextmanager
    def command(
        self, image: str, arguments: list[str], *, volume: Path | None, env: Mapping[str, str]
    ) -> Iterator[list[str]]:
        """Give the command that runs a program in a container of its own."""
        volumes = [f"--volume={volume}:/data"] if volume else []
        values = [f"--env={name}={value}" for name, value in env.items()]
        if self._builder != "buildah":
            options = ["--rm", "--network=host", "--read-only", "--tmpfs=/tmp", "--entrypoint="]
            yield [self._builder, "run", *options, *volumes, *values, image, *arguments]
            return
        made = self._buildah("from", "--pull-never", image)
        try:
            run = ["buildah", *self._storage, "run", "--isolation=chroot", *volumes, *values]
            yield [*run, made, "--", *arguments]
        finally:
            self._buildah("rm", made)

    def run(self, image: str, *arguments: str, **env: str) -> str:
        """Run a program to its end and return what it printed."""
        with self.command(image, list(arguments), volume=None, env=env) as command:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def running(
        self, image: str, *arguments: str, volume: Path, log: IO[bytes], **env: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Keep a program running; SIGTERM ends it."""
        with self.command(image, list(arguments), volume=volume, env=env) as command:
            process = subprocess.Popen(command, stdout=log, stderr=log, process_group=0)
            try:
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait(STOP_SECONDS)

    def _buildah(self, *arguments: str) -> str:
        command = ["buildah", *self._storage, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()
