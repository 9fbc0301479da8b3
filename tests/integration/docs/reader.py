"""Somebody who types what a page says, beside a running system."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.integration.cli.conftest import Dev

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCUMENTED = "127.0.0.1:8080"
DEADLINE_SECONDS = 240.0
#: What a reader types once a system runs.
TYPED = ("zerog ", "curl ", "python ")


def blocks(page: str, language: str) -> list[str]:
    """Return a page's blocks in a language."""
    return [text for kind, text in BLOCK.findall((ROOT / page).read_text()) if kind == language]


def lines(page: str) -> list[str]:
    """Return the commands of a page, without their remarks; continued lines are joined."""
    text = "".join(blocks(page, "sh")).replace("\\\n", " ")
    return [line for raw in text.splitlines() if (line := raw.partition(" #")[0].strip())]


def typed(page: str) -> list[str]:
    """Return the commands of a page that its reader types beside a running system."""
    return [c for c in lines(page) if c.startswith(TYPED) and not c.startswith("zerog dev")]


class Reader:
    """Somebody who types what the docs say, in a folder with the examples."""

    def __init__(self, folder: Path, *jobs: str, own: str | None = None) -> None:
        """`own`: the text of a file with jobs that the reader wrote."""
        self.folder = folder
        for name in ("examples", "README.md", "LICENSE", "docs", "hack", "tests", "benchmarks"):
            (folder / name).symlink_to(ROOT / name)
        paths = [str(path) for job in jobs for path in sorted(ROOT.glob(job))]
        if own is not None:
            (folder / "own.py").write_text(own)
            paths.append(str(folder / "own.py"))
        self.dev = Dev(folder, *paths)
        url = f"http://127.0.0.1:{self.dev.port}"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.env = {**self.dev.env, "PATH": path, "ZEROG_URL": url}

    def local(self, text: str) -> str:
        """Put the test's port in the place of the documented one."""
        return text.replace(DOCUMENTED, f"127.0.0.1:{self.dev.port}")

    def type(self, command: str) -> str:
        """Run a line, return what it printed, results and remarks."""
        command = self.local(command)
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], cwd=self.folder, env=self.env,
            capture_output=True, text=True, timeout=DEADLINE_SECONDS,
        )  # fmt: skip
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
        return result.stdout + result.stderr
