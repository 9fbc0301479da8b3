"""A folder in which a reader generates a client as the page says, and runs it.

The page is the only source: the files that it shows are written, the commands that it shows are
typed. What it installs is here already, in the same versions: `hack/clients.sh` did that.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.integration.docs.reader import DOCUMENTED

from zerog_tools.cluster.binaries import cache_folder
from zerog_tools.cluster.go import find_go

ROOT = Path(__file__).parents[3]
SOURCES = Path(__file__).parent
TOOLS = ROOT / ".tools" / "clients"
PAGE = ROOT / "docs/howto/generate-a-client.md"
DEADLINE_SECONDS = 240.0
#: What the page installs. `Workshop` has it.
INSTALLS = ("npm install ", "pip install ", "go mod init ", "go get ")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class ToolsMissingError(Exception):
    """What generates clients is not installed: run `make client-tools`."""


@dataclass(frozen=True, slots=True)
class Language:
    """How a client of one language is checked and run, once it is generated."""

    #: The section of the page.
    title: str
    #: Where its sources are, and what says which tools are locked.
    folder: str
    lock: str
    #: Compiles the story, if there is something to compile.
    check: str
    #: Tells it. The address follows.
    tell: str
    #: Checks the file with the wrong calls, and must fail.
    refuse: str
    #: The file with the wrong calls, and the pattern of a complaint about one of its lines.
    wrong: str
    complaint: str


#: It reads the generated code, and complains of what uses it.
_MYPY = (
    f"{sys.executable} -m mypy --strict --config-file= --follow-imports=silent "
    f"--python-executable {TOOLS}/python/bin/python"
)
LANGUAGES = [
    Language(
        title="TypeScript",
        folder="typescript",
        lock="package-lock.json",
        check="npx tsc",
        tell="node story.js",
        refuse="npx tsc --noEmit --strict --target es2022 --module nodenext wrong.ts",
        wrong="wrong.ts",
        complaint=r"^wrong\.ts\((\d+),",
    ),
    Language(
        title="Python",
        folder="python",
        lock="requirements.lock",
        check=f"{_MYPY} story.py main.py",
        tell="python story.py",
        refuse=f"{_MYPY} wrong.py",
        wrong="wrong.py",
        complaint=r"^wrong\.py:(\d+): error",
    ),
    Language(
        title="Go",
        folder="go",
        lock="go.mod",
        check="go vet . ./story",
        tell="go run ./story",
        refuse="go build -gcflags=-e -o wrong.out ./wrong",
        wrong="wrong/main.go",
        complaint=r"^wrong/main\.go:(\d+):",
    ),
]


def section(title: str) -> str:
    """Return the part of the page below a title."""
    (_, found), *_ = (
        (head, text)
        for head, _, text in (part.partition("\n") for part in PAGE.read_text().split("\n## "))
        if head == title
    )
    return found


def commands(title: str) -> list[str]:
    """Return the commands of a section; continued lines are joined."""
    text = "".join(text for kind, text in _BLOCK.findall(section(title)) if kind == "sh")
    return text.replace("\\\n", " ").splitlines()


def files(title: str) -> dict[str, str]:
    """Return the files of a section by their names: each stands after "`name`:"."""
    return dict(_NAMED.findall(section(title)))


class Workshop:
    """A folder with the sources and the tools of one language. `type` works as in a shell there."""

    def __init__(self, folder: Path, language: Language, port: int) -> None:
        """Raises `ToolsMissingError` or `GoMissingError`."""
        self.language, self.port = language, port
        self.folder = folder / language.folder
        shutil.copytree(SOURCES / language.folder, self.folder)
        tools = TOOLS / language.folder
        if language.folder != "go":
            self._check(tools)
        if language.folder == "typescript":
            (self.folder / "node_modules").symlink_to(tools / "node_modules")
        for name, text in files(language.title).items():
            (self.folder / name).write_text(self.local(text))
        self.env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
        first = find_go(cache_folder()).parent if language.folder == "go" else tools / "bin"
        # Nothing is fetched while tests run: what is not installed is an error.
        self.env |= {
            "PATH": f"{first}:{os.environ['PATH']}",
            "GOPROXY": "off",
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-mod=readonly",
            "npm_config_offline": "true",
        }

    def _check(self, tools: Path) -> None:
        lock = (SOURCES / self.language.folder / self.language.lock).read_bytes()
        stamp = tools / ".installed"
        want = hashlib.sha256(lock).hexdigest()
        if not stamp.is_file() or stamp.read_text().split() != [want]:
            raise ToolsMissingError(f"{tools} is missing or old: run `make client-tools`")

    def local(self, text: str) -> str:
        """Put the test's port in the place of the documented one."""
        return text.replace(DOCUMENTED, f"127.0.0.1:{self.port}")

    def generate(self) -> str:
        """Type what the page says up to its program; return what the generator printed."""
        return "".join(map(self.type, self._typed()[0]))

    def run_program(self) -> str:
        """Type the rest; return what the page's program printed."""
        return "".join(map(self.type, self._typed()[1]))

    def _typed(self) -> tuple[list[str], list[str]]:
        """Return the commands that generate, which end with the one that has an address, and the
        others.
        """
        typed = [c for c in commands(self.language.title) if not c.startswith(INSTALLS)]
        (last,) = (number for number, command in enumerate(typed) if "://" in command)
        return typed[: last + 1], typed[last + 1 :]

    def type(self, command: str) -> str:
        """Run a line that works; return what it printed, output and remarks."""
        result = self.try_to(command)
        assert result.returncode == 0, f"{command}\n{result.stdout}"
        return result.stdout

    def try_to(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run a line, whether it works or not."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.local(command)],
            cwd=self.folder, env=self.env, text=True, timeout=DEADLINE_SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
