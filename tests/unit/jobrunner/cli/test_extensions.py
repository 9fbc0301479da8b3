"""Commands that other packages bring."""

import sys
from pathlib import Path

import pytest

from zerog.cli import codes, extensions
from zerog.cli.main import main

SOURCE = """
def main(arguments):
    print("shouted:", *arguments)
    return 7
"""


@pytest.fixture
def shouting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package that brings `zerog shout`, as pip would lay it out."""
    (tmp_path / "shouting_for_tests.py").write_text(SOURCE)
    metadata = tmp_path / "shouting-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
    points = "[zerog.commands]\nshout = shouting_for_tests:main\nbroken = not_there_at_all:main\n"
    (metadata / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("shouting")
def test_a_package_brings_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["shout", "--loud", "hello"])

    assert code == 7
    assert capsys.readouterr().out == "shouted: --loud hello\n"
    assert sys.modules.pop("shouting_for_tests")


@pytest.mark.usefixtures("shouting")
def test_a_command_that_does_not_load_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["broken"]) == codes.USAGE
    assert "not_there_at_all" in capsys.readouterr().err


def test_a_command_of_a_package_that_is_not_installed_names_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(extensions.KNOWN, "levitate", ("zerog-levitation", "float"))

    code = main(["levitate"])

    assert code == codes.USAGE
    assert "pip install zerog-levitation" in capsys.readouterr().err


def test_an_unknown_command_is_refused_and_says_where_the_list_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["levitate"]) == codes.USAGE

    assert "no command 'levitate'\n  `zerog --help` lists them" in capsys.readouterr().err
