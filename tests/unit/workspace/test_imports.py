"""The import contracts bite: each refuses the import that it was written against.

The sources are copied and one forbidden import is added, so that a contract that was turned
off by a slip in `.importlinter` is found.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = ["jobrunner/src/zerog", "api/src/zerog_api", "operator/src/zerog_operator"]


@pytest.fixture
def sources(tmp_path: Path, root: Path) -> Path:
    for name in SOURCES:
        shutil.copytree(
            root / name,
            tmp_path / Path(name).name,
            ignore=shutil.ignore_patterns("__pycache__", "static"),
        )
    shutil.copy(root / ".importlinter", tmp_path)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys; from importlinter.cli import lint_imports; "
        "sys.exit(lint_imports(cache_dir=None, no_cache=True))"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_sources_keep_every_contract(sources: Path) -> None:
    result = lint(sources)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("zerog/worker/intruder.py", "zerog_api"),
        ("zerog/worker/intruder.py", "zerog_operator"),
        ("zerog_api/intruder.py", "zerog_operator"),
        ("zerog_operator/intruder.py", "zerog_api"),
        ("zerog/worker/intruder.py", "greenstalk"),
        ("zerog_api/intruder.py", "greenstalk"),
        ("zerog/client/intruder.py", "tornado.web"),
        ("zerog_operator/intruder.py", "tornado.web"),
        ("zerog/worker/intruder.py", "couchbase"),
        ("zerog_api/intruder.py", "couchbase"),
        ("zerog/cli/intruder.py", "kubernetes"),
        ("zerog_api/intruder.py", "kopf"),
    ],
)
def test_a_forbidden_import_is_refused(sources: Path, module: str, forbidden: str) -> None:
    (sources / module).write_text(f'"""Forbidden."""\n\nimport {forbidden}\n')

    result = lint(sources)

    assert result.returncode == 1, result.stdout + result.stderr
    assert "1 broken" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize("forbidden", ["zerog.store.port", "zerog.queue.port"])
def test_the_life_of_a_job_must_not_learn_of_datastore_and_queue(
    sources: Path, forbidden: str
) -> None:
    with (sources / "zerog/model/life.py").open("a") as module:
        module.write(f"\nimport {forbidden}  # noqa\n")

    assert lint(sources).returncode == 1


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("zerog/store/couchbase/writes.py", "couchbase"),
        ("zerog_operator/intruder.py", "kopf"),
        ("zerog_api/intruder.py", "tornado.web"),
        ("zerog_operator/intruder.py", "zerog.sdk"),
    ],
)
def test_an_adapter_may_import_what_it_adapts(sources: Path, module: str, allowed: str) -> None:
    (sources / module).write_text(f'"""Allowed."""\n\nimport {allowed}\n')

    result = lint(sources)

    assert result.returncode == 0, result.stdout + result.stderr
