"""How modules of jobs are found, and what is said of one that cannot be imported."""

import importlib
import sys
from pathlib import Path

import pytest

from zerog.model.errors import ConfigError
from zerog.sdk.importing import import_jobs
from zerog.sdk.registry import REGISTRY

RUN = "    def run(self, ctx): return None\n"


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("import os, sys\nimport zerog\n" + text)
    return str(path)


def test_two_files_of_one_name_do_not_share_a_module(tmp_path: Path) -> None:
    paths = []
    for name, kind in (("One", "Kind = int"), ("Two", "Kind = str")):
        path = tmp_path / name / "jobs_under_test_twin.py"
        path.parent.mkdir()
        path.write_text(
            f"from __future__ import annotations\nimport zerog\n{kind}\n"
            f"class {name}(zerog.Job):\n    x: Kind\n{RUN}"
        )
        paths.append(str(path))

    one, two = import_jobs(paths)

    assert one.cls.__module__ != two.cls.__module__
    assert one.document.schema["properties"]["x"]["type"] == "integer"
    assert two.document.schema["properties"]["x"]["type"] == "string"


@pytest.mark.parametrize("name", ["email", "json", "queue", "not-an-identifier"])
def test_a_file_may_have_the_name_of_a_standard_module(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / f"{name}.py", f"class Ours(zerog.Job):\n{RUN}")

    (job_type,) = import_jobs([path])

    assert job_type.name == "Ours"
    if name in sys.stdlib_module_names:
        assert importlib.import_module(name).__file__ != path


def test_a_folder_with_such_a_file_does_not_hide_the_standard_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "colorsys.py", "raise AssertionError('the wrong one')\n")
    path = write(tmp_path / "jobs_under_test_x.py", f"import colorsys\nclass X(zerog.Job):\n{RUN}")
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    monkeypatch.chdir(tmp_path)

    assert [job_type.name for job_type in import_jobs([path])] == ["X"]


def test_a_file_finds_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path / "sub" / "jobs_under_test_helper.py", "SIZE = 3\n")
    path = write(
        tmp_path / "sub" / "jobs_under_test_j.py",
        f"from jobs_under_test_helper import SIZE\nclass J(zerog.Job):\n    x: int = SIZE\n{RUN}",
    )

    (job_type,) = import_jobs([path])

    assert job_type.document.schema["properties"]["x"]["default"] == 3


def test_a_file_is_imported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "jobs_under_test_once.py", f"class Once(zerog.Job):\n{RUN}")
    monkeypatch.chdir(tmp_path)

    assert len(import_jobs([path, "jobs_under_test_once.py"])) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sys.exit()", "it called sys.exit(None)"),
        ("sys.exit(3)", "it called sys.exit(3)"),
        ("os._exit(3)", "it called os._exit(3)"),
        ("import argparse; argparse.ArgumentParser().parse_args(['--no'])", "sys.exit(2)"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def broken(:", "SyntaxError"),
        ("import jobs_under_test_nowhere", "No module named 'jobs_under_test_nowhere'"),
        ("raise BaseException('base')", "BaseException: base"),
        ("raise ValueError('\\udcff')", "ValueError"),
    ],
)
def test_a_failing_module_is_named_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path / "jobs_under_test_bad.py", f"x = 1\n{line}\n")

    with pytest.raises(ConfigError) as refused:
        import_jobs([path])
    assert str(refused.value).startswith(f"the module {path} cannot be imported: {path}:4: ")
    assert said in str(refused.value)


def test_all_failing_modules_are_named_at_once(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "jobs_under_test_1.py", "1 / 0\n"),
        write(tmp_path / "jobs_under_test_2.py", "sys.exit()\n"),
    ]

    with pytest.raises(ConfigError) as refused:
        import_jobs(paths)
    assert all(path in str(refused.value) for path in paths)


def test_no_type_of_a_failing_module_is_registered(tmp_path: Path) -> None:
    good = write(tmp_path / "jobs_under_test_1.py", f"class Good(zerog.Job):\n{RUN}")
    bad = write(tmp_path / "jobs_under_test_2.py", f"class Half(zerog.Job):\n{RUN}1 / 0\n")

    with pytest.raises(ConfigError):
        import_jobs([good, bad])
    assert list(REGISTRY.types) == ["Good"]


def test_a_thread_that_a_module_starts_is_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / "jobs_under_test_thread.py",
        "import threading\nstop = threading.Event()\n"
        "threading.Thread(target=stop.wait, name='poller', daemon=True).start()\n",
    )

    with pytest.raises(ConfigError, match=r"started threads when it was imported \(poller\)"):
        import_jobs([path])
    _stop_threads("poller")


def _stop_threads(name: str) -> None:
    import threading

    for thread in threading.enumerate():
        if thread.name == name:
            thread._target.__self__.set()  # type: ignore[attr-defined]
            thread.join()


def test_what_is_said_of_a_module_is_bounded_and_has_a_text_form(tmp_path: Path) -> None:
    path = write(
        tmp_path / "jobs_under_test_odd.py",
        f"class Odd(zerog.Job):\n    class Options: queue = '\\udcff' + 'x' * 1_000_000\n{RUN}",
    )

    with pytest.raises(ConfigError) as refused:
        import_jobs([path])
    assert len(str(refused.value).encode()) < 5000
    assert "option queue" in str(refused.value)
