"""What the folders of the workspace must and must not hold."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import zerog

MEMBERS = {
    "jobrunner": "zerog",
    "api": "zerog_api",
    "operator": "zerog_operator",
    "simulate": "zerog_simulate",
    "tools": "zerog_tools",
}
VAGUE_NAMES = {"utils", "helpers", "common", "misc", "manager"}


def read_project(root: Path, member: str) -> dict[str, object]:
    project = tomllib.loads((root / member / "pyproject.toml").read_text())["project"]
    assert isinstance(project, dict)
    return project


@pytest.mark.parametrize("folder", ["operator", "api", "jobrunner", "tests"])
def test_no_package_stands_where_it_would_hide_another(root: Path, folder: str) -> None:
    assert not (root / folder / "__init__.py").exists()


def test_operator_stays_the_standard_librarys_beside_our_folder(root: Path) -> None:
    code = "import operator, os; print(operator.__name__, os.path.dirname(operator.__file__))"
    env = {**os.environ, "PYTHONPATH": str(root)}

    result = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=root, env=env, capture_output=True, text=True
    )

    assert result.stdout.split() == ["operator", os.path.dirname(os.__file__)], result.stderr


def test_tests_have_no_packages(our_files: list[Path], root: Path) -> None:
    packages = [path for path in our_files if path.name == "__init__.py"]

    assert not [path for path in packages if path.is_relative_to(root / "tests")]


@pytest.mark.parametrize(("member", "package"), MEMBERS.items())
def test_each_distribution_is_typed_and_has_one_package(
    root: Path, member: str, package: str
) -> None:
    folders = [path.name for path in (root / member / "src").iterdir() if path.is_dir()]

    assert [name for name in folders if not name.endswith(".egg-info")] == [package]
    assert (root / member / "src" / package / "py.typed").is_file()


@pytest.mark.parametrize("member", MEMBERS)
def test_all_distributions_carry_the_version_that_the_code_says(root: Path, member: str) -> None:
    assert read_project(root, member)["version"] == zerog.__version__


@pytest.mark.parametrize("member", MEMBERS)
def test_each_distribution_says_its_licence(root: Path, member: str) -> None:
    assert read_project(root, member)["license"] == "Apache-2.0"


def test_the_licence_is_the_whole_apache_licence(root: Path) -> None:
    text = (root / "LICENSE").read_text()

    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_no_module_has_a_name_that_says_nothing(our_files: list[Path]) -> None:
    assert not [path for path in our_files if path.suffix == ".py" and path.stem in VAGUE_NAMES]


def test_every_module_opens_with_a_docstring(our_files: list[Path], root: Path) -> None:
    modules = [path for path in our_files if path.suffix == ".py"]

    silent = [path for path in modules if not ast.get_docstring(ast.parse(path.read_text()))]

    assert not [str(path.relative_to(root)) for path in silent]
