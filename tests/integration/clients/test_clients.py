"""The API's specification is a product: real generators make clients of it, and these work.

Each client is generated from a live API as `docs/howto/generate-a-client.md` says, and tells the
same story. The compiler of its language refuses wrong calls. If a generator stumbles, mend the
specification, not what was generated.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.fixtures import skip_or_fail
from tests.integration.clients.workshop import (
    INSTALLS,
    LANGUAGES,
    ROOT,
    SOURCES,
    Language,
    ToolsMissingError,
    Workshop,
    commands,
    files,
)
from tests.integration.path.conftest import System, running_system

from zerog_tools.cluster.go import GoMissingError

#: A compiler is started in each, on machines that may be busy.
pytestmark = pytest.mark.timeout(900)

#: What every client prints, whatever its language.
STORY = """\
general call: succeeded 3
repeated call: the same job
call of the type: 12.299999999999999 eur paper 2031-05-01T12:00:00Z
job: SendInvoice default succeeded
log: sending Ada
attempts: 1 succeeded
listed: true
batch: succeeded 1
batch: succeeded 2
problem: 404 unknown-type
problem: 422 invalid-request $.lines[0].count
cancelled: 2 false
cancelled: cancelled
cancelled: cancelled
deleted: 404 unknown-job
types: CountWords Hold SendInvoice Status WordStatistics
queues: default
workers: running 2
stats: 60 5
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose worker has registered types."""
    with running_system(System(tmp_path_factory.mktemp("live"))) as made:
        jobs = SOURCES / "jobs_for_clients.py"
        made.start_worker(str(ROOT / "examples/jobs/text.py"), "--slots", "2", jobs=jobs)
        yield made


@pytest.fixture(scope="module", params=LANGUAGES, ids=lambda language: language.folder)
def language(request: pytest.FixtureRequest) -> Language:
    """One of the languages."""
    made: Language = request.param
    return made


@pytest.fixture(scope="module")
def workshop(
    live: System, language: Language, tmp_path_factory: pytest.TempPathFactory
) -> Workshop:
    """A folder in which a client was generated."""
    try:
        made = Workshop(tmp_path_factory.mktemp(language.folder), language, live.port)
    except (ToolsMissingError, GoMissingError) as error:
        skip_or_fail(str(error))
    printed = made.generate()
    assert "warn" not in printed.lower(), printed
    return made


def test_a_generated_client_does_all_that_a_service_needs(workshop: Workshop) -> None:
    workshop.type(workshop.language.check)

    told = workshop.type(f"{workshop.language.tell} http://127.0.0.1:{workshop.port}")

    assert told == STORY


def test_the_compiler_refuses_every_wrong_call(workshop: Workshop) -> None:
    language = workshop.language
    lines = (workshop.folder / language.wrong).read_text().splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("refused")}

    result = workshop.try_to(language.refuse)

    found = re.findall(language.complaint, result.stdout, re.MULTILINE)
    assert {int(number) for number in found} == wrong, result.stdout
    assert result.returncode != 0
    assert len(wrong) >= 7


def test_the_program_of_the_page_prints_what_its_job_returned(workshop: Workshop) -> None:
    printed = workshop.run_program()

    assert printed.startswith("succeeded ")
    assert re.search(r"words\W+3\b", printed), printed


def test_the_page_installs_what_is_locked(language: Language) -> None:
    folder: Path = SOURCES / language.folder
    locked = (folder / language.lock).read_text()
    installed = [line for line in commands(language.title) if line.startswith(INSTALLS)]
    pins = [pin for line in installed for pin in re.findall(r"[\w./-]+(?:@|==)v?[\d.]+", line)]

    assert pins
    for pin in pins:
        name, version = re.split("@|==", pin.replace("/cmd/oapi-codegen", ""))
        apart = r'": \{\s+"version": "' if language.folder == "typescript" else " |=="
        assert re.search(rf"{re.escape(name)}(?:{apart}){re.escape(version)}\b", locked), pin


def test_the_page_shows_the_files_that_its_commands_name(language: Language) -> None:
    suffix = {"typescript": "ts", "python": "py", "go": "go"}[language.folder]

    assert f"main.{suffix}" in files(language.title)
