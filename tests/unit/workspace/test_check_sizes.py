"""`hack/check_sizes.py` refuses what has grown too long, at exactly its limits."""

import subprocess
import sys
from pathlib import Path

import pytest

MODULE_LINES, TEST_LINES, FUNCTION_LINES = 500, 600, 60


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def check(repository: Path, root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "hack" / "check_sizes.py")]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=30)


def write(repository: Path, name: str, lines: list[str]) -> None:
    path = repository / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def function(length: int, head: str = "def f():", indent: str = "") -> list[str]:
    return [f"{indent}{head}", *[f"{indent}    1"] * (length - 1)]


def test_a_module_at_the_limit_is_accepted(repository: Path, root: Path) -> None:
    write(repository, "a.py", ["1"] * MODULE_LINES)

    assert check(repository, root).returncode == 0


def test_a_module_over_the_limit_is_refused_by_name(repository: Path, root: Path) -> None:
    write(repository, "src/a.py", ["1"] * (MODULE_LINES + 1))

    result = check(repository, root)

    assert result.returncode == 1
    assert "src/a.py: 501 lines, at most 500" in result.stdout


@pytest.mark.parametrize(("more", "code"), [(0, 0), (1, 1)])
def test_tests_may_be_longer_but_not_without_limit(
    repository: Path, root: Path, more: int, code: int
) -> None:
    write(repository, "tests/unit/test_a.py", ["1"] * (TEST_LINES + more))

    assert check(repository, root).returncode == code


@pytest.mark.parametrize(
    ("head", "around", "indent"),
    [
        ("def f():", [], ""),
        ("async def f():", [], ""),
        ("def f(self):", ["class A:"], "    "),
        ("def f():", ["if True:"], "    "),
    ],
    ids=["function", "coroutine", "method", "in a branch"],
)
@pytest.mark.parametrize(("more", "code"), [(0, 0), (1, 1)])
def test_functions_of_every_kind_have_a_limit(
    repository: Path, root: Path, head: str, around: list[str], indent: str, more: int, code: int
) -> None:
    write(repository, "a.py", [*around, *function(FUNCTION_LINES + more, head, indent)])

    assert check(repository, root).returncode == code


def test_tests_have_no_longer_functions(repository: Path, root: Path) -> None:
    write(repository, "tests/test_a.py", function(FUNCTION_LINES + 1))

    result = check(repository, root)

    assert result.returncode == 1
    assert "tests/test_a.py:1: f has 61 lines, at most 60" in result.stdout


def test_every_problem_is_told_at_once(repository: Path, root: Path) -> None:
    write(repository, "a.py", function(FUNCTION_LINES + 1) + function(FUNCTION_LINES + 1))
    write(repository, "b.py", ["1"] * (MODULE_LINES + 1))

    assert len(check(repository, root).stdout.splitlines()) == 3


def test_ignored_files_are_nobodys_business(repository: Path, root: Path) -> None:
    write(repository, ".gitignore", ["build/"])
    write(repository, "build/a.py", ["1"] * (MODULE_LINES + 1))

    assert check(repository, root).returncode == 0


def test_a_deleted_file_that_git_still_knows_does_no_harm(repository: Path, root: Path) -> None:
    write(repository, "a.py", ["1"])
    subprocess.run(["git", "add", "a.py"], cwd=repository, check=True)
    (repository / "a.py").unlink()

    assert check(repository, root).returncode == 0


def test_this_repository_keeps_the_limits(root: Path) -> None:
    result = check(root, root)

    assert result.returncode == 0, result.stdout
