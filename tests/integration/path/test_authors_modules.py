"""Whatever an author writes into a module: a worker runs what can be run, and names the rest."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import DEADLINE_SECONDS, System, running_system, until

pytestmark = pytest.mark.timeout(600)

HEAD = "import ctypes, math, os, sys\nfrom typing import *\nimport zerog\n"
RETURN = "    def run(self, ctx): return {}\n"


def job(name: str, returned: str = "1", fields: str = "") -> str:
    return f"class {name}(zerog.Job):\n{fields}" + RETURN.format(returned)


BASE = """
class Base(zerog.Job):
    __abstract__ = True
    class Options:
        queue = "special"
        timeout = 77
T = TypeVar("T")
class Generic_(zerog.Job, Generic[T]):
    value: Optional[T] = None
    def run(self, ctx): return repr(self.value)
Numbers = Generic_[list[int]]
class Mixin:
    class Options: priority = 1
class OwnName(Base):
    class Options: name = "Other"
    def run(self, ctx): return 1
"""
#: Files of jobs that run, by their paths.
GOOD = {
    "one/twin.py": "KIND = 'one'\n" + job("One", "KIND"),
    "two/twin.py": "KIND = 'two'\n" + job("Two", "KIND"),
    "std/email.py": job("Email"),
    "std/json.py": job("Json"),
    "std/queue.py": job("Queue"),
    "std/logging.py": job("Logging"),
    "odd/my-jobs 1.py": job("Odd"),
    "sub/sibling.py": "SIZE = 3\n",
    "sub/user.py": "import sibling\n" + job("User", "sibling.SIZE"),
    "sub/late.py": job("Late", "__import__('sibling').SIZE"),
    "base.py": BASE + "class Inherits(Base):\n" + RETURN.format("1")
    + "class Both(Mixin, Inherits):\n" + RETURN.format("1"),
    "any.py": job("Object", "type(self.x).__name__", "    x: Any = object()\n"),
    "surrogate.py": job("Surrogate", "ascii(self.x)", "    x: dict = {'\\ud800': 1}\n"),
    "long.py": job("Long", "1", "    __doc__ = 'd' * 20_000_000\n"),
}  # fmt: skip
#: Files that cannot be imported, and what is said of them.
BAD = {
    "callable.py": (job("Calls", "1", "    x: Callable\n"), "callable.py:4: class Calls"),
    "inf.py": (job("Inf", "1", "    x: float = math.inf\n"), "Infinity is not a JSON number"),
    "nan.py": (job("Nan", "1", "    x: float = math.nan\n"), "nan.py:4: class Nan"),
    "half.py": (job("Half", "1", "    '''Half a letter: \\ud800'''\n"), "half.py:4: Unicode"),
    "text.py": (job("Text", "1", "    x: str = '\\ud800'\n"), "text.py:4: class Text"),
    "arbitrary.py": ("class X: pass\n" + job("Arbitrary", "1", "    x: X\n"), "arbitrary.py:5: "),
    "forward.py": (job("Forward", "1", "    x: 'Nowhere'\n"), "forward.py:4: class Forward"),
    "exits.py": ("sys.exit()\n", "exits.py:4: it called sys.exit(None)"),
    "parses.py": ("import argparse\nargparse.ArgumentParser().parse_args()\n",
                  "parses.py:5: it called sys.exit(2)"),
    "leaves.py": ("os._exit(0)\n", "leaves.py:4: it called os._exit(0)"),
    "crashes.py": ("ctypes.string_at(0)\n", "by SIGSEGV, at {}/crashes.py:4"),
    "bytes.py": ("x = '\0'\n", "null bytes"),
    "yields.py": ("class Yields(zerog.Job):\n    def run(self, ctx): yield 1\n", "run yields"),
    "huge.py": ("class Huge(zerog.Job):\n"
                "    __annotations__ = {f'f{n}': int for n in range(20_000)}\n"
                + RETURN.format("1"), "the schema has"),
    "same.py": (job("One"), "another job called 'One' exists"),
    "letter.py": ("raise ValueError('\\ud800')\n", "letter.py:4: ValueError: \\ud800"),
}  # fmt: skip


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + text)
    return str(path)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A worker with all these files."""
    with running_system(System(tmp_path_factory.mktemp("modules"))) as made:
        files = {**GOOD, **{name: text for name, (text, _) in BAD.items()}}
        paths = [write(made.folder, name, text) for name, text in files.items()]
        served = [path for path in paths if not path.endswith("sibling.py")]
        made.start("worker", *served)
        until(lambda: made.client.workers(), what="the worker is there")
        yield made


@pytest.mark.parametrize(
    ("job_type", "data"),
    [("One", "one"), ("Two", "two"), ("Email", 1), ("Json", 1), ("Queue", 1), ("Logging", 1),
     ("Odd", 1), ("User", 3), ("Late", 3), ("Object", "object"),
     ("Surrogate", "{'\\ud800': 1}"), ("Long", 1), ("Inherits", 1), ("Both", 1),
     ("Other", 1), ("Generic_.list.int", "None")],
)  # fmt: skip
def test_jobs_of_odd_modules_run(mixed: System, job_type: str, data: object) -> None:
    uuid = mixed.client.submit(job_type, {})

    assert mixed.client.result(uuid, DEADLINE_SECONDS) == data


def test_options_come_from_the_nearest_class_that_sets_them(mixed: System) -> None:
    types = {document["name"]: document for document in mixed.client.types()}

    for name in ("Inherits", "Both", "Other"):
        assert (types[name]["queue"], types[name]["timeoutSeconds"]) == ("special", 77)
    assert types["Both"]["priority"] == 1


@pytest.mark.parametrize("name", BAD)
def test_a_module_that_cannot_be_imported_is_named_with_its_line(mixed: System, name: str) -> None:
    (log,) = mixed.folder.glob("*-worker.log")
    said = BAD[name][1].format(mixed.folder)

    lines = [line for line in log.read_text().splitlines() if f"{mixed.folder}/{name}" in line]

    assert any("ERROR" in line and said in line for line in lines), lines


@pytest.mark.parametrize("name", ["crashes.py", "leaves.py", "callable.py"])
def test_describe_names_what_the_worker_would(mixed: System, name: str) -> None:
    path = mixed.folder / name

    done = subprocess.run(
        [sys.executable, "-m", "zerog", "describe", str(path)], capture_output=True, text=True
    )

    assert done.returncode != 0
    assert str(path) in done.stderr
    assert "4" in done.stderr


def test_what_a_module_prints_is_not_in_the_description(tmp_path: Path) -> None:
    path = write(tmp_path, "prints.py", "print('hello')\n" + job("Prints"))

    done = subprocess.run(
        [sys.executable, "-m", "zerog", "describe", path, "--json"], capture_output=True, text=True
    )

    assert done.stdout.startswith("[")
    assert "hello" in done.stderr
