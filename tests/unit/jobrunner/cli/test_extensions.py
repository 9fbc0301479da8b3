"""Commands that other packages bring."""

import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from zerog.cli import codes, extensions
from zerog.cli.main import build_parser, main

ROOT = Path(__file__).parents[4]
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


@pytest.fixture
def api_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the entry points that api/pyproject.toml declares, whatever is installed here."""
    project = tomllib.loads((ROOT / "api/pyproject.toml").read_text())["project"]
    value = project["entry-points"][extensions.GROUP]["api"]
    point = EntryPoint("api", value, extensions.GROUP)
    monkeypatch.setattr(extensions, "entry_points", lambda *, group, name: [point])


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
    known = extensions.Known("zerog-levitation", "in the air", "float")
    monkeypatch.setitem(extensions.KNOWN, "levitate", known)

    code = main(["levitate"])

    assert code == codes.USAGE
    assert "pip install zerog-levitation" in capsys.readouterr().err


def test_an_unknown_command_is_refused_and_says_where_the_list_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["levitate"]) == codes.USAGE

    assert "no command 'levitate'\n  `zerog --help` lists them" in capsys.readouterr().err


def test_the_command_of_the_api_is_in_its_group_and_says_what_to_install_without_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extensions, "entry_points", lambda *, group, name: [])

    groups = build_parser().format_help().split("\n\n")
    code = main(["api", "--port", "0"])

    (processes,) = [text for text in groups if text.startswith("processes:")]
    assert "  api         serve the REST API" in processes
    assert code == codes.USAGE
    assert "pip install zerog-api" in capsys.readouterr().err


@pytest.mark.usefixtures("api_installed")
def test_the_api_brings_its_command_with_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["api", "--help"]) == codes.OK

    told = capsys.readouterr().out
    assert told.startswith("usage: zerog api [-h]")
    assert "--port" in told


@pytest.mark.usefixtures("api_installed")
def test_what_is_wrong_with_the_settings_of_the_api_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["api", "--port", "65536"]) == codes.USAGE
    assert "port: 65536 is more than 65,535" in capsys.readouterr().err


@pytest.mark.usefixtures("api_installed")
def test_an_option_that_the_api_does_not_have_is_wrong_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["api", "--prot", "1"]) == codes.USAGE

    assert "`zerog api --help` explains it" in capsys.readouterr().err
