"""The commands and the Python in the docs do what the docs say.

The commands of the pages below run, in the page's order, in a folder like a clone, with the
ports and folders of a test in place of the documented ones. What starts or ends a whole system is
what the reader of this test already has; clusters and images have tests of their own.
"""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.docs.reader import DEADLINE_SECONDS, ROOT, Reader, blocks, typed

PAGES = [
    "README.md",
    "docs/quickstart.md",
    "docs/howto/write-a-job.md",
    "docs/howto/test-a-job.md",
    "docs/howto/cancel-and-retry.md",
]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader who has already started `zerog dev`."""
    made = Reader(tmp_path_factory.mktemp("reader"), "examples/jobs/*.py")
    yield made
    made.dev.close()


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_works(page: str, reader: Reader) -> None:
    for command in typed(page):
        assert reader.type(command).strip(), f"{command} said nothing"


def test_the_pages_have_commands() -> None:
    assert sum(len(typed(page)) for page in PAGES) >= 5
    assert "make run" in "".join(blocks("README.md", "sh"))


def test_make_run_shows_a_job_and_ends_with_what_to_try_next(reader: Reader) -> None:
    data = reader.folder / "make-run"
    env = {**reader.env, "DATA": str(data), "RUN_ONCE": "1"}
    result = subprocess.run(
        ["bash", "hack/run.sh"], cwd=ROOT, env=env, capture_output=True, text=True,
        timeout=DEADLINE_SECONDS,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert (data / "mandelbrot.json").stat().st_size > 0
    assert "Three things to try next" in result.stdout


def test_the_python_of_the_quickstart_runs(reader: Reader) -> None:
    for block in blocks("docs/quickstart.md", "python"):
        script = reader.folder / "caller.py"
        script.write_text(reader.local(block))

        assert "'words': 2" in reader.type(f"python {script}")


@pytest.mark.parametrize("page", ["README.md"])
def test_the_jobs_of_a_page_are_jobs_that_run(page: str, tmp_path: Path, reader: Reader) -> None:
    for number, block in enumerate(blocks(page, "python")):
        path = tmp_path / f"job_{number}.py"
        path.write_text(block)

        assert "Thumbnails" in reader.type(f"zerog describe {path}")


def test_the_options_of_the_how_to_are_options(tmp_path: Path, reader: Reader) -> None:
    (block,) = blocks("docs/howto/write-a-job.md", "python")
    path = tmp_path / "documented.py"
    job = "import zerog\n\nclass Documented(zerog.Job):\n" + textwrap.indent(block, "    ")
    path.write_text(job + "\n    def run(self, ctx):\n        return None\n")

    assert "Thumbnails" in reader.type(f"zerog describe {path}")


def test_the_test_of_the_how_to_passes(tmp_path: Path) -> None:
    (block,) = blocks("docs/howto/test-a-job.md", "python")
    (tmp_path / "test_documented.py").write_text(block)

    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "examples/jobs")},
        capture_output=True, text=True, cwd=tmp_path, timeout=DEADLINE_SECONDS,
    )  # fmt: skip

    assert "1 passed" in result.stdout, result.stdout + result.stderr


def test_every_link_of_the_docs_leads_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
    broken = []
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")

    assert broken == []
