"""What may stand in no file of the repository, and what the locks must hold."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

#: Written apart, since this file may not name them either.
REGISTRIES = [
    ".".join(words)
    for words in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("proxy", "golang", "org"),
    ]
]
LOCKS = ["requirements.lock", "requirements-bench.lock"]
#: Of what generates clients in tests, and is no part of our environment.
CLIENTS = "tests/integration/clients"


def read_lock(path: Path) -> dict[str, str]:
    """Return each requirement of a lock with its hashes, by name."""
    entries = path.read_text().replace("\\\n", " ").splitlines()
    return {re.split(r"[=\[ ;@]", entry, maxsplit=1)[0]: entry for entry in entries if entry}


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=~! ;]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def test_no_file_names_a_registrys_host(our_files: list[Path], root: Path) -> None:
    forbidden = re.compile("|".join(map(re.escape, REGISTRIES)).encode(), re.IGNORECASE)

    found = [path for path in our_files if forbidden.search(path.read_bytes())]

    assert not [str(path.relative_to(root)) for path in found]


def test_the_lock_with_addresses_is_never_committed(root: Path) -> None:
    command = ["git", "check-ignore", "-q", "--no-index", "uv.lock"]

    assert subprocess.run(command, cwd=root).returncode == 0


@pytest.mark.parametrize("lock", [*LOCKS, f"{CLIENTS}/python/requirements.lock"])
def test_a_lock_pins_every_package_with_hashes_and_no_address(root: Path, lock: str) -> None:
    for entry in read_lock(root / lock).values():
        assert re.match(r"[a-z0-9.-]+==\S+ ", entry), entry
        assert "--hash=sha256:" in entry
        assert "://" not in entry


def test_the_lock_of_generated_clients_has_hashes_and_no_address(root: Path) -> None:
    lock = json.loads((root / CLIENTS / "typescript/package-lock.json").read_text())
    packages = [item for name, item in lock["packages"].items() if name]

    assert packages
    assert all(item["integrity"].startswith("sha512-") for item in packages)
    assert not [item for item in packages if "resolved" in item]


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("member", ["jobrunner", "api", "operator", "simulate"])
def test_a_lock_holds_all_that_a_distribution_needs(root: Path, member: str, lock: str) -> None:
    project = tomllib.loads((root / member / "pyproject.toml").read_text())
    needed = {name_of(item) for item in project["project"]["dependencies"]}
    needed |= {name_of(item) for item in project["build-system"]["requires"]}
    ours = {"zerog", "zerog-api", "zerog-operator", "zerog-simulate"}

    assert needed - ours <= read_lock(root / lock).keys()


@pytest.mark.parametrize(
    ("lock", "groups"),
    [("requirements.lock", ["dev"]), ("requirements-bench.lock", ["dev", "bench"])],
)
def test_a_lock_holds_its_dependency_groups(root: Path, lock: str, groups: list[str]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    needed = {name_of(item) for group in groups for item in project["dependency-groups"][group]}

    assert needed <= read_lock(root / lock).keys()


def test_peers_are_not_needed_to_run_or_test(root: Path) -> None:
    assert not {"celery", "rq", "huey"} & read_lock(root / "requirements.lock").keys()


def test_both_locks_agree_on_versions(root: Path) -> None:
    runtime, bench = (read_lock(root / lock) for lock in LOCKS)

    assert {name: entry for name, entry in bench.items() if name in runtime} == runtime
