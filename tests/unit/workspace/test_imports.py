"""The import contracts bite: each refuses the imports that it was written against.

The sources are copied, a module with forbidden imports is added to each package, and the contracts
are checked once. So a contract that was turned off by a slip in `.importlinter` is found.
"""

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

SOURCES = [
    "jobrunner/src/zerog",
    "api/src/zerog_api",
    "operator/src/zerog_operator",
    "simulate/src/zerog_simulate",
    "tools/src/zerog_tools",
    "hack",
]
#: Package, and what its modules must not import.
FORBIDDEN = [
    ("zerog.worker", "zerog_api"),
    ("zerog.cli", "zerog_api"),
    ("zerog.worker", "zerog_operator"),
    ("zerog_api", "zerog_operator"),
    ("zerog_operator", "zerog_api"),
    ("zerog_operator", "zerog_simulate"),
    ("zerog_simulate", "zerog_api"),
    ("zerog_simulate", "zerog_operator"),
    ("zerog", "zerog_tools"),
    ("zerog_api", "zerog_tools"),
    ("zerog_operator", "zerog_tools"),
    ("zerog_simulate", "zerog_tools"),
    ("zerog_tools", "tests"),
    ("zerog_tools.cluster", "pytest"),
    ("hack", "tests"),
    # Layers.
    ("zerog.worker", "zerog.cli"),
    ("zerog.ledger", "zerog.worker"),
    ("zerog.ledger", "zerog.child"),
    ("zerog.ledger", "zerog.sdk"),
    ("zerog.child", "zerog.worker"),
    ("zerog.child", "zerog.ledger"),
    ("zerog.child", "zerog.store"),
    ("zerog.child", "zerog.queue"),
    ("zerog.child", "zerog.settings"),
    ("zerog.sdk", "zerog.store"),
    ("zerog.sdk", "zerog.queue"),
    ("zerog.sdk", "zerog.child"),
    ("zerog.sdk", "zerog.settings"),
    ("zerog.store", "zerog.ledger"),
    ("zerog.store", "zerog.queue"),
    ("zerog.store", "zerog.sdk"),
    ("zerog.queue", "zerog.ledger"),
    ("zerog.queue", "zerog.store"),
    ("zerog.queue", "zerog.sdk"),
    ("zerog.model", "zerog.store"),
    ("zerog.model", "zerog.queue"),
    ("zerog.model", "zerog.sdk"),
    ("zerog.model", "zerog.ledger"),
    ("zerog.model", "zerog.settings"),
    ("zerog.client", "zerog.ledger"),
    ("zerog.client", "zerog.store"),
    ("zerog.client", "zerog.queue"),
    ("zerog.client", "zerog.settings"),
    ("zerog.client", "zerog.cli"),
    ("zerog_tools.cluster", "zerog_tools.kind"),
    ("zerog_tools.images", "zerog_tools.chart"),
    ("zerog_tools.chart", "zerog_tools.release"),
    ("zerog_tools.release", "zerog_tools.trial"),
    # Libraries.
    ("zerog.model", "asyncio"),
    ("zerog.model", "httpx"),
    ("zerog.model", "sqlite3"),
    ("zerog.model", "subprocess"),
    ("zerog.worker", "greenstalk"),
    ("zerog_operator", "cronsim"),
    ("zerog.queue", "greenstalk"),
    ("zerog_api", "greenstalk"),
    ("zerog_operator", "greenstalk"),
    ("zerog.client", "tornado"),
    ("zerog_operator", "tornado"),
    ("zerog.worker", "couchbase"),
    ("zerog.store", "couchbase"),
    ("zerog.store", "acouchbase"),
    ("zerog_api", "couchbase"),
    ("zerog.cli", "kubernetes"),
    ("zerog_api", "kopf"),
    ("zerog_api.core", "tornado"),
    ("zerog_api.core", "zerog_api.problems"),
]
ALLOWED = [
    ("zerog.store.couchbase", "couchbase"),
    ("zerog_api", "tornado"),
    ("zerog_api", "zerog.ledger"),
    ("zerog_api", "zerog.cli"),
    ("zerog_operator", "kopf"),
    ("zerog_operator", "kubernetes"),
    ("zerog_operator", "zerog.ledger"),
    ("zerog_operator", "zerog.sdk"),
    ("zerog.cli", "zerog.worker"),
    ("zerog.worker", "zerog.ledger"),
    ("zerog.worker", "zerog.child"),
    ("zerog.ledger", "zerog.store"),
    ("zerog.ledger", "zerog.queue"),
    ("zerog.child", "zerog.sdk"),
    ("zerog.client", "zerog.sdk"),
    ("zerog.store", "zerog.settings"),
    ("zerog.sdk", "zerog.model"),
    ("zerog_tools.cluster", "zerog.queue"),
    ("zerog_tools.chart", "zerog_tools.cluster"),
    ("zerog_tools.release", "zerog_tools.chart"),
    ("zerog_tools.trial", "zerog_tools.images"),
    ("hack", "zerog_tools"),
]


def lint(root: Path, folder: Path, intruders: Iterable[tuple[str, str]] = ()) -> tuple[int, str]:
    """Check copied sources with intruders; return the exit code and what was printed."""
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__", "static")
        shutil.copytree(root / name, folder / Path(name).name, ignore=ignored)
    shutil.copy(root / ".importlinter", folder)
    imports = defaultdict(list)
    for package, imported in intruders:
        imports[package].append(f"import {imported}\n")
    for package, lines in imports.items():
        (folder / package.replace(".", "/") / "intruder.py").write_text("".join(lines))
    code = (
        "import sys; from importlinter.cli import lint_imports; "
        "sys.exit(lint_imports(cache_dir=None, no_cache=True))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return result.returncode, result.stdout + result.stderr


@pytest.fixture(scope="module")
def refused(root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is printed when all that is forbidden is done."""
    code, told = lint(root, tmp_path_factory.mktemp("refused"), FORBIDDEN)
    assert code == 1, told
    return told


@pytest.mark.parametrize(("package", "imported"), FORBIDDEN)
def test_a_forbidden_import_is_refused(refused: str, package: str, imported: str) -> None:
    assert f"{package}.intruder -> {imported} (l." in refused


def test_each_contract_refuses_something(refused: str) -> None:
    assert " 0 kept, " in refused, refused


def test_the_sources_keep_every_contract(root: Path, tmp_path: Path) -> None:
    code, told = lint(root, tmp_path)

    assert code == 0, told


def test_what_each_part_stands_on_may_be_imported(root: Path, tmp_path: Path) -> None:
    code, told = lint(root, tmp_path, ALLOWED)

    assert code == 0, told
