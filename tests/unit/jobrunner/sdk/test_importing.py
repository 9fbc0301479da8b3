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


@pytest.mark.parametrize(
    ("line", "next_step"),
    [
        ("import jobs_under_test_nowhere.part", "install the package that has jobs_under_test_no"),
        ("import json.nothing", "json has no such module"),
        ("from .helper import x", "`from helper import …` for a file helper.py next to it, or add"),
        ("class T(zerog.Job):\n    thing: zerog.Context", "If it is not a parameter, make it in"),
    ],
)
def test_a_failing_module_comes_with_a_next_step(tmp_path: Path, line: str, next_step: str) -> None:
    path = write(tmp_path / "jobs_under_test_bad.py", line + "\n")

    with pytest.raises(ConfigError) as refused:
        import_jobs([path])
    assert next_step in str(refused.value)
    assert "pydantic.dev" not in str(refused.value)
    assert f"{path}:3: " in str(refused.value)


def test_a_name_that_only_type_checkers_know_is_explained(tmp_path: Path) -> None:
    path = write(tmp_path / "jobs_under_test_late.py", f"class T(zerog.Job):\n    x: 'No'\n{RUN}")

    with pytest.raises(ConfigError, match=r"define `No`.* not only under `if TYPE_CHECKING:`"):
        import_jobs([path])


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("jobs_under_test_no.py", "there is no file jobs_under_test_no.py in "),
        ("jobs_under_test_no", "there is no module jobs_under_test_no in "),
        ("jobs_under_test_there", "did you mean jobs_under_test_there.py?"),
        ("sub/jobs_under_test_in", "did you mean sub/jobs_under_test_in.py?"),
        ("sub/", "sub/ is not the name of a module nor a file"),
    ],
)
def test_a_module_that_does_not_exist_is_called_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, said: str
) -> None:
    write(tmp_path / "jobs_under_test_there.py", "")
    write(tmp_path / "sub/jobs_under_test_in.py", "")
    monkeypatch.chdir(tmp_path)
    # The file exists, its folder is not searched: as in a working folder that is not a project's.
    monkeypatch.setattr("zerog.sdk.importing.search_folder", lambda _: None)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])

    with pytest.raises(ConfigError) as refused:
        import_jobs([module])
    assert said in str(refused.value)
    assert "<frozen" not in str(refused.value)


def test_a_file_of_a_package_may_import_relatively(tmp_path: Path) -> None:
    write(tmp_path / "acme_under_test/__init__.py", "")
    write(tmp_path / "acme_under_test/jobs/__init__.py", "")
    write(tmp_path / "acme_under_test/sizes.py", "SIZE = 3\n")
    path = write(
        tmp_path / "acme_under_test/jobs/media.py",
        f"from ..sizes import SIZE\nclass J(zerog.Job):\n    x: int = SIZE\n{RUN}",
    )

    (job_type,) = import_jobs([path, "acme_under_test.jobs.media"])

    assert job_type.cls.__module__ == "acme_under_test.jobs.media"


def test_a_package_of_a_taken_name_is_not_mistaken_for_another(tmp_path: Path) -> None:
    write(tmp_path / "email/__init__.py", "")
    path = write(tmp_path / "email/ours.py", f"class Ours(zerog.Job):\n{RUN}")

    (job_type,) = import_jobs([path])

    assert job_type.cls.__module__ == "ours"


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
