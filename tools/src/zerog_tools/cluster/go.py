"""Where the Go toolchain is that builds the programs of clusters.

It is looked for and never fetched here: whoever finds none is told what to install.
`hack/cluster-go.sh` puts one into the cache where the system has none or an old one.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

#: What Kubernetes 1.36 asks for in its go.mod.
LEAST = (1, 26)
#: Where Go's own archive and Debian put it.
FIXED_PLACES = ("/usr/local/go/bin/go", *sorted(map(str, Path("/usr/lib").glob("go-1.*/bin/go"))))


class GoMissingError(Exception):
    """No Go toolchain that is new enough is on this machine."""


def find_go(cache: Path) -> Path:
    """Return a Go that is new enough.

    Raises:
        GoMissingError: There is none; the message says what was found and what to do.
    """
    seen = []
    for path in _candidates(cache):
        version = read_version(path)
        if version >= LEAST:
            return path
        seen.append(f"{path} is {'.'.join(map(str, version)) or 'unusable'}")
    wanted = ".".join(map(str, LEAST))
    found = f" ({'; '.join(seen)})" if seen else ""
    raise GoMissingError(
        f"Go {wanted} or newer is needed to build Kubernetes{found}: "
        f"run `make cluster-binaries`, which also fetches Go, or put a `go` on the PATH"
    )


def _candidates(cache: Path) -> Iterator[Path]:
    on_path = shutil.which("go")
    places = [Path(on_path)] if on_path else []
    places += [cache / "go" / "bin" / "go", *map(Path, FIXED_PLACES)]
    return (path for path in dict.fromkeys(places) if os.access(path, os.X_OK))


def read_version(go: Path) -> tuple[int, ...]:
    """Return a Go's version, empty when it does not say one."""
    # Without GOTOOLCHAIN an old go would answer with, or fetch, another version.
    env = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        result = subprocess.run(
            [str(go), "env", "GOVERSION"], env=env, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", result.stdout)
    return tuple(int(part) for part in match.groups() if part) if match else ()


def main() -> int:
    """Print the Go that would be used, given the folder of the cache; fail if there is none."""
    try:
        print(find_go(Path(sys.argv[1])))
    except GoMissingError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
