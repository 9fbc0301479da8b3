"""Write the blocking client, `zerog/client/sync.py`, from the asynchronous one beside it.

`--check` writes nothing and fails where the file is not what the asynchronous client says.
"""

import argparse
import ast
import subprocess
import sys
import tempfile
from pathlib import Path

import unasync

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "jobrunner/src/zerog/client/aio.py"
TARGET = ROOT / "jobrunner/src/zerog/client/sync.py"
NOTE = '"""The blocking client. Made by hack/client.py from `zerog.client.aio`; edit that."""\n'
#: Names that differ, besides those that unasync knows (`__aenter__`, `AsyncIterator`, …).
NAMES = {
    "AsyncClient": "Client",
    "asyncio": "time",
    "aclose": "close",
    "aread": "read",
    "aiter_sse": "iter_sse",
}


def build_client() -> str:
    """Return the blocking client's text."""
    text = SOURCE.read_text(encoding="utf-8")
    docstring = ast.parse(text).body[0]
    body = "".join(text.splitlines(keepends=True)[docstring.end_lineno :])
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "aio", TARGET.name)
        source.parent.mkdir()
        source.write_text(NOTE + body, encoding="utf-8")
        unasync.unasync_files([str(source)], [unasync.Rule("/aio/", "/sync/", NAMES)])
        made = Path(folder, "sync", TARGET.name).read_text(encoding="utf-8")
    # Shorter names sort and fold in other ways; an asynchronous generator cannot `yield from`.
    return _ruff(_ruff(made, "check", "--fix", "--unsafe-fixes", "--select", "I,UP028"), "format")


def _ruff(text: str, *command: str) -> str:
    ruff = [sys.executable, "-m", "ruff", *command, "--quiet", "--stdin-filename", str(TARGET), "-"]
    done = subprocess.run(ruff, input=text, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return done.stdout


def main() -> int:
    """Write the file, or only tell."""
    parser = argparse.ArgumentParser(prog="hack.client", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if it differs")
    check: bool = parser.parse_args().check
    text, name = build_client(), TARGET.relative_to(ROOT)
    if TARGET.read_text(encoding="utf-8") == text:
        return 0
    if check:
        print(f"{name} is out of date: run `make generate`", file=sys.stderr)
        return 1
    TARGET.write_text(text, encoding="utf-8")
    print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
