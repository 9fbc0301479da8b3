"""gocaves, Couchbase's own mock of a server, as a process: a second opinion on KV semantics.

It is built once from its pinned Go module and kept outside the repository. It knows no
queries, and some of what it does differs from the real server: the tests have the table.
"""

import argparse
import json
import os
import secrets
import sys
import urllib.request
from pathlib import Path

from zerog_tools.cluster.binaries import BuildError, Tool, ensure_built
from zerog_tools.cluster.go import GoMissingError
from zerog_tools.cluster.process import ServerProcess, Startable

_START_SECONDS = 20.0
_CONTROL_SECONDS = 10.0
TOOL = Tool("gocaves", str(Path(__file__).with_name("tools") / "gocaves"), ".")


class Gocaves(Startable):
    """The mock; use it as a context manager."""

    bucket = "zerog"

    def __init__(self, folder: Path) -> None:
        ensure_built([TOOL])
        # Its ports are open to all interfaces: nobody else shall know the login.
        self.user, self.password = secrets.token_hex(8), secrets.token_hex(16)
        self._ready_file = folder / "gocaves.ready"
        command = [str(TOOL.path), "-ready-file", str(self._ready_file), "-bucket", self.bucket]
        env = {**os.environ, "GOCAVES_USER": self.user, "GOCAVES_PASSWORD": self.password}
        self._process = ServerProcess("gocaves", command, folder / "gocaves.log", env)
        self._addresses: dict[str, str] = {}

    @property
    def connection(self) -> str:
        """The connection string for the SDK."""
        return self._addresses["connection"]

    def start(self) -> None:
        """Start it, and return once it serves."""
        self._process.start_until(self._ready_file.exists, _START_SECONDS)
        self._addresses = json.loads(self._ready_file.read_text())

    def stop(self) -> None:
        """End it. Idempotent."""
        self._process.stop()

    def advance_clock(self, seconds: float) -> None:
        """Let time pass for the server."""
        url = f"http://{self._addresses['control']}/clock?advance={seconds}"
        request = urllib.request.Request(url, method="POST")
        with urllib.request.urlopen(request, timeout=_CONTROL_SECONDS):
            pass


def main() -> int:
    """Build gocaves if it is not there."""
    parser = argparse.ArgumentParser(prog="tests.couchbase.gocaves", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="only fail if it is missing")
    if parser.parse_args().check:
        return int(not TOOL.path.exists())
    try:
        ensure_built([TOOL])
    except (BuildError, GoMissingError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
