"""The commands and the Python in the docs do what the docs say.

The commands of the pages below run, in the page's order, in a folder like a clone, with the
ports and folders of a test in place of the documented ones. What starts or ends a whole system is
what the reader of this test already has. A page with commands has to be in one of the lists.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.docs.reader import (
    DEADLINE_SECONDS,
    ROOT,
    TYPED,
    Reader,
    blocks,
    lines,
    typed,
)

from zerog.sdk.options import Options

#: Systems are started in them, on machines that may be busy.
pytestmark = pytest.mark.timeout(900)

#: Pages whose every command is typed here.
PAGES = [
    "README.md",
    "docs/index.md",
    "docs/quickstart.md",
    "docs/howto/call-from-a-service.md",
    "docs/howto/cancel-and-retry.md",
    "docs/howto/retry-and-continue.md",
    "docs/howto/ship-logs.md",
    "docs/howto/write-a-job.md",
]
#: Pages whose commands need what is not here: why, and the tests of the same.
ELSEWHERE = {
    "docs/howto/backup.md": ("a system under load", "tests/integration/path/test_backup.py"),
    "docs/howto/docker-compose.md": ("docker", "tests/integration/examples/test_project.py"),
    "docs/howto/project-layout.md": (
        "a package index and docker",
        "tests/integration/examples/test_project.py",
    ),
    "docs/howto/test-in-ci.md": (
        "the project's folder",
        "tests/integration/examples/test_project.py",
    ),
    "docs/howto/couchbase.md": ("a Couchbase server", "tests/integration/couchbase"),
    "docs/howto/generate-a-client.md": ("node, Go and generators", "tests/integration/clients"),
    "docs/howto/install.md": ("a cluster and helm", "tests/chart/cluster/test_api_server.py"),
    "docs/howto/monitoring.md": ("a cluster, but for those typed below", "tests/integration/docs"),
    "docs/howto/runbook.md": ("a cluster, but for those typed below", "tests/integration/docs"),
    "docs/howto/pause-and-drain.md": (
        "a worker of that name",
        "tests/integration/path/test_pause.py",
    ),
    "docs/howto/pools.md": ("a cluster", "tests/integration/operator"),
    "docs/howto/secure-the-api.md": ("typed by a test below", "tests/integration/docs"),
    "docs/howto/test-a-job.md": ("typed by a test below", "tests/integration/docs"),
    "docs/howto/simulate.md": (
        "but an hour of a live queue, below",
        "tests/integration/simulate",
    ),
    "docs/howto/watch.md": ("a collector of traces", "tests/integration/path/test_traces.py"),
}
#: Lines that install or start a whole system: the reader has one.
STARTS = ("make ", "source .venv/bin/activate", "zerog dev ")
#: Pages with Python, each with a test below, or where its commands are tried.
PYTHON = {
    "README.md",
    "docs/quickstart.md",
    "docs/howto/call-from-a-service.md",
    "docs/howto/generate-a-client.md",
    "docs/howto/large-payloads.md",
    "docs/howto/migrate-from-celery.md",
    "docs/howto/migrate-from-rq.md",
    "docs/howto/retry-and-continue.md",
    "docs/howto/secure-the-api.md",
    "docs/howto/test-a-job.md",
    "docs/howto/write-a-job.md",
}
#: Printed by the Python of a page.
SCRIPTS = {
    "docs/quickstart.md": "'words': 2",
    "docs/howto/call-from-a-service.md": "\n3\n",
}
LOADED = re.compile(r"<(?:script|img|link)[^>]* (?:src|href)=\"?(?:https?:)?//[^ >]*")
TREES = "api|benchmarks|charts|docs|examples|hack|images|jobrunner|manifests|operator|tests"


def documents() -> list[Path]:
    """Return every page that somebody who uses ZeroG reads."""
    return [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]


def name(page: Path) -> str:
    """Return a page's path in the repository."""
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader who has already started `zerog dev`."""
    folder = tmp_path_factory.mktemp("reader")
    jobs = (f"examples/{name}/*.py" for name in ("jobs", "continue", "hello"))
    (sample,), (_, greeting) = blocks("README.md", "python"), blocks("docs/quickstart.md", "python")
    moved = blocks("docs/howto/migrate-from-celery.md", "python")[1]
    made = Reader(folder, *jobs, own=sample + greeting + moved)
    yield made
    made.dev.close()


def test_no_page_with_commands_is_forgotten() -> None:
    pages = {name(page) for page in documents() if blocks(name(page), "sh")}

    assert pages == {*PAGES, *ELSEWHERE}
    for _, tests in ELSEWHERE.values():
        assert (ROOT / tests).exists(), tests


def test_no_page_with_python_is_forgotten() -> None:
    assert {name(page) for page in documents() if blocks(name(page), "python")} == PYTHON


def test_every_block_says_what_it_is() -> None:
    for page in documents():
        fences = re.findall(r"^ *```(.*)$", page.read_text(), re.MULTILINE)
        assert all(fences[::2]), f"a block of {name(page)} has no language"


def test_every_line_of_a_page_is_typed() -> None:
    for page in PAGES:
        for line in lines(page):
            assert line.startswith((*TYPED, *STARTS)), f"{page}: {line} would not be tried"


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_works(page: str, reader: Reader) -> None:
    for command in typed(page):
        assert reader.type(command).strip(), f"{command} said nothing"


@pytest.mark.parametrize("page", ["docs/howto/monitoring.md", "docs/howto/runbook.md"])
def test_those_on_call_can_type_what_needs_no_cluster(page: str, reader: Reader) -> None:
    for command in dict.fromkeys(typed(page)):
        assert reader.type(command).strip(), f"{command} said nothing"


@pytest.mark.parametrize("page", sorted(SCRIPTS))
def test_the_python_of_a_page_prints_what_it_should(page: str, reader: Reader) -> None:
    (block,) = [block for block in blocks(page, "python") if "Client(" in block]
    script = reader.folder / "caller.py"
    script.write_text(reader.local(block))

    assert SCRIPTS[page] in reader.type(f"python {script}")


def test_the_jobs_of_the_readme_are_jobs(tmp_path: Path, reader: Reader) -> None:
    for number, block in enumerate(blocks("README.md", "python")):
        path = tmp_path / f"job_{number}.py"
        path.write_text(block)

        assert "Miniatures" in reader.type(f"zerog describe {path}")


def test_the_first_job_of_the_how_to_is_the_example() -> None:
    first, *_ = blocks("docs/howto/write-a-job.md", "python")

    assert first == (ROOT / "examples/hello/hello.py").read_text()


def test_the_validator_of_the_how_to_refuses_as_it_says(tmp_path: Path, reader: Reader) -> None:
    _, block, _ = blocks("docs/howto/write-a-job.md", "python")
    path = tmp_path / "documented.py"
    path.write_text(
        block + "\nfor end in ('2026-01-02', '2025-01-01'):\n"
        "    try:\n"
        "        print(Export(start='2026-01-01', end=end).run(None))\n"
        "    except ValueError as error:\n"
        "        print(error.errors()[0]['msg'])\n"
    )

    assert reader.type(f"python {path}").splitlines() == ["1", "Value error, end is before start"]


def test_the_options_of_the_how_to_are_options(tmp_path: Path, reader: Reader) -> None:
    *_, block = blocks("docs/howto/write-a-job.md", "python")
    path = tmp_path / "documented.py"
    job = "import zerog\n\nclass Documented(zerog.Job):\n" + textwrap.indent(block, "    ")
    path.write_text(job + "\n    def run(self, ctx):\n        return None\n")

    assert "Thumbnails" in reader.type(f"zerog describe {path}")


def test_the_how_to_shows_every_option() -> None:
    *_, block = blocks("docs/howto/write-a-job.md", "python")

    assert set(re.findall(r"^    (\w+) = ", block, re.MULTILINE)) == {*Options.__dataclass_fields__}


def test_the_run_of_the_how_to_retries_and_finishes(tmp_path: Path, reader: Reader) -> None:
    (block,) = blocks("docs/howto/retry-and-continue.md", "python")
    head = "import httpx\nimport zerog\nimport zerog.testing\n\nclass Size(zerog.Job):\n"
    url = f"http://127.0.0.1:{reader.dev.port}"
    asks = "".join(
        f"print(zerog.testing.run(Size(url='{url}/{path}')).kind)\n" for path in ("healthz", "none")
    )
    path = tmp_path / "size.py"
    path.write_text(head + textwrap.indent(f"url: str\n{block}", "    ") + asks)

    assert reader.type(f"python {path}").split() == ["returned", "finish"]


def test_the_tests_of_the_how_to_pass(reader: Reader) -> None:
    page = "docs/howto/test-a-job.md"
    (block,) = blocks(page, "python")
    (command,) = lines(page)
    (reader.folder / command.split()[-1]).write_text(block)

    assert "2 passed" in reader.type(command)


@pytest.mark.parametrize("other", ["celery", "rq"])
def test_what_a_migration_writes_does_what_it_did(
    other: str, tmp_path: Path, reader: Reader
) -> None:
    theirs, job, their_call, call = blocks(f"docs/howto/migrate-from-{other}.md", "python")
    for text in (theirs, their_call):
        compile(text, other, "exec")
    path = tmp_path / "moved.py"
    tried = "print(zerog.testing.run(CountWords(text='one two')).data)\n"
    path.write_text(f"import zerog.testing\n{job}\n{tried}import zerog\n{reader.local(call)}")

    answer = "{'words': 2, 'language': 'en'}"
    assert reader.type(f"python {path}").splitlines() == [answer, answer]


def test_a_checksum_is_left_next_to_its_file(tmp_path: Path, reader: Reader) -> None:
    (block,) = blocks("docs/howto/large-payloads.md", "python")
    path, data = tmp_path / "checksum.py", tmp_path / "data.bin"
    data.write_bytes(b"cat")
    path.write_text(
        f"import zerog.testing\n{block}\n"
        f"print(zerog.testing.run(Checksum(path={str(data)!r})).data['checksum'])\n"
    )

    (target,) = reader.type(f"python {path}").splitlines()
    assert Path(target).read_text() == hashlib.sha256(b"cat").hexdigest()
    assert {each.name for each in tmp_path.iterdir()} == {path.name, data.name, Path(target).name}


def test_a_token_is_made_and_given_as_the_how_to_says(tmp_path: Path, reader: Reader) -> None:
    page = "docs/howto/secure-the-api.md"
    (block,) = blocks(page, "python")
    path = tmp_path / "client.py"
    path.write_text(f"import zerog\n{block}")

    assert re.search(r"^[0-9a-f]{64} ", reader.type(blocks(page, "sh")[0]))
    reader.type(f"python {path}")


def test_a_pool_is_simulated_as_the_how_to_says(reader: Reader) -> None:
    page = "docs/howto/simulate.md"
    (trace,) = re.findall(r"```csv\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    (reader.folder / "monday.csv").write_text(trace)
    shutil.copy(ROOT / "manifests/samples/pool.yaml", reader.folder)
    commands = [line for line in lines(page) if line.startswith("zerog simulate --")]
    commands += re.findall(r"`(zerog simulate generate [^`]*)`", (ROOT / page).read_text())

    assert len(commands) == 4
    for command in commands:
        assert reader.type(command).strip()
    assert (reader.folder / "monday.svg").stat().st_size > 0
    assert (reader.folder / "other.csv").stat().st_size > 0


def test_every_link_of_the_docs_leads_somewhere() -> None:
    broken = []
    for page in [*documents(), ROOT / "CONTRIBUTING.md", *ROOT.glob("examples/**/*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{name(page)}: {target}")

    assert broken == []


def test_every_file_that_the_docs_name_is_there() -> None:
    named = re.compile(rf"`((?:{TREES})/[\w./-]+)`")
    broken = [
        f"{name(page)}: {path}"
        for page in documents()
        for path in named.findall(page.read_text())
        if not (ROOT / path).exists()
    ]

    assert broken == []


def test_every_test_that_a_promise_names_is_there() -> None:
    promised = re.findall(r"`(test_\w+)`", (ROOT / "docs/explanation/promises.md").read_text())
    written = "".join(path.read_text() for path in (ROOT / "tests").glob("**/test_*.py"))

    assert len(promised) > 20
    assert [test for test in promised if f"def {test}(" not in written] == []


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    result = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_SECONDS,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr

    pages = {str(page.relative_to(tmp_path / ".site")) for page in tmp_path.glob(".site/**/*.html")}
    sources = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").glob("**/*.md")}
    assert {source.removesuffix(".md") + ".html" for source in sources} <= pages
    for page in tmp_path.glob(".site/**/*.html"):
        loaded = re.findall(
            r"<(?:script|img|link)[^>]*(?:src|href)=\"?(?:https?:)?//", page.read_text()
        )
        assert loaded == [], page.name
