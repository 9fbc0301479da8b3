"""The public CI runs what the Makefile has, with pinned actions, little rights and an end."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
#: Hosted runners end a job by themselves after six hours, which is too late to be told.
MOST_MINUTES = 60


def read(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text()))


def jobs() -> list[Any]:
    return [
        pytest.param(job, id=f"{path.stem}-{name}")
        for path in WORKFLOWS
        for name, job in read(path)["jobs"].items()
    ]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def signs(job: dict[str, Any]) -> bool:
    """Return whether a job may sign as this repository."""
    return "id-token" in job.get("permissions", {})


def test_there_are_workflows_for_each_change_each_night_and_for_releases() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "nightly", "release"]


def test_each_night_everything_random_runs_and_a_complaint_leaves_its_seed_and_logs() -> None:
    trial = read(ROOT / ".github/workflows/nightly.yml")["jobs"]["trial"]
    *_, run, kept = trial["steps"]
    folder = trial["env"]["FOLDER"].removeprefix("${{ github.workspace }}/")

    assert trial["strategy"]["matrix"]["command"] == ["chaos", "power", "fuzz"]
    assert run["run"].startswith('make "$COMMAND"')
    assert set(trial["strategy"]["matrix"]["command"]) <= targets()
    assert (kept["if"], kept["with"]["path"]) == ("${{ !success() }}", folder)


@pytest.mark.parametrize("job", jobs())
def test_each_make_target_that_a_job_runs_exists(job: dict[str, Any]) -> None:
    scripts = "\n".join(step["run"] for step in job["steps"] if "run" in step)
    used = set(re.findall(r"\bmake ([a-z0-9-]+)", scripts))

    assert used <= targets()


def test_everything_that_make_test_does_is_done_by_a_job() -> None:
    makefile = (ROOT / "Makefile").read_text()
    found = re.search(r"^SUITES := ([a-z -]+)$", makefile, re.MULTILINE)
    beside = re.search(r"^check:.*\n.* -j 2 ([a-z -]+)$", makefile, re.MULTILINE)
    assert found is not None
    assert beside is not None
    names = {*found[1].split(), *beside[1].split()} - {"check"}
    text = (ROOT / ".github/workflows/ci.yml").read_text()

    assert not [name for name in names if f"make {name}\n" not in text]


@pytest.mark.parametrize("job", jobs())
def test_each_job_has_an_end(job: dict[str, Any]) -> None:
    assert 0 < job["timeout-minutes"] <= MOST_MINUTES


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_rights_are_asked_for_one_by_one(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if "uses:" in line]

    assert lines
    assert not [line for line in lines if not PINNED.search(line)]
    assert read(path)["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("job", [item for item in jobs() if signs(item.values[0])])
def test_a_job_that_can_sign_runs_no_code_of_ours(job: dict[str, Any]) -> None:
    used = [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]
    scripts = " ".join(step["run"] for step in job["steps"] if "run" in step)

    assert "actions/checkout" not in used
    assert set(re.findall(r"^\s*([\w./-]+)", scripts, re.MULTILINE)) <= {"docker", "cosign"}


def test_everything_that_is_pushed_is_signed_and_attested_by_its_digest() -> None:
    job = read(ROOT / ".github/workflows/release.yml")["jobs"]["sign"]
    subjects = "${{ fromJSON(needs.images-and-chart.outputs.subjects) }}"
    attested = [step["with"] for step in job["steps"] if "attest@" in step.get("uses", "")]

    assert signs(job)
    assert job["strategy"]["matrix"]["subject"] == subjects
    assert ["sbom-path" in item for item in attested] == [False, True]
    assert {item["subject-digest"] for item in attested} == {"${{ matrix.subject.digest }}"}
