"""`make test` runs every suite, whatever another one does, and sums up at the end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hack.suites import (
    Counts,
    Result,
    is_tried_again,
    progress,
    read_counts,
    run,
    summary,
    try_again,
)

TESTS = """
import pytest
def test_passes(): pass
def test_fails(): assert False
@pytest.mark.skip(reason="no docker")
def test_is_skipped(): pass
@pytest.fixture
def broken():
    yield
    raise ValueError
def test_passes_and_leaves_a_mess(broken): pass
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_all_suites_run_though_one_fails_and_its_end_is_shown() -> None:
    said: list[str] = []
    suites = {"bad": "print('why it failed'); exit(3)", "good": "print('all is well')", "last": ""}

    results = run(list(suites), lambda name: python(suites[name]), said.append)

    assert {result.name: result.code for result in results} == {"bad": 3, "good": 0, "last": 0}
    assert "why it failed" in "\n".join(said)
    assert "all is well" not in "\n".join(said)


def test_a_suite_leaves_no_counts_to_its_next_run() -> None:
    write = f"import os; open(os.environ['TEST_OUTCOME'] + '.1.json', 'w').write({run_of(3)!r})"

    (first,) = run(["tests"], lambda _: python(write), lambda _: None)
    (second,) = run(["tests"], lambda _: python(""), lambda _: None)

    assert first.counts.passed == 3
    assert second.counts == Counts()


def run_of(passed: int, failed: tuple[str, ...] = (), **skipped: int) -> str:
    total = passed + len(failed) + sum(skipped.values())
    return json.dumps({"total": total, "passed": passed, "failed": failed, "skipped": skipped})


def test_counts_of_a_suites_runs_are_added_up(tmp_path: Path) -> None:
    files = [tmp_path / "1.json", tmp_path / "2.json"]
    files[0].write_text(run_of(5, ("test_a",), kernel=1))
    files[1].write_text(run_of(2, ("test_b",), kernel=2))

    counts = read_counts(files)

    assert counts == Counts(12, 7, ("test_a", "test_b"), (("kernel", 3),))
    assert counts.done == 12


def test_progress_says_how_far_each_suite_is() -> None:
    running = [("unit", Counts(200, 40, ("x",), (("y", 9),))), ("lint", Counts())]

    assert progress(83.4, running) == "1:23  running: unit 50 of 200, lint"


def test_the_summary_names_what_failed_and_what_was_skipped_and_why() -> None:
    unit = Result("unit", 1, 61.0, Counts(9, 6, ("test_x",), (("no docker", 2),)))
    web = Result("web", 0, 5.0, Counts(3, 2, (), (("no docker", 1),)))

    text = summary([unit, web, Result("lint", 0, 4.0, Counts())], 66.0)

    lines = [line.split() for line in text.splitlines()]
    assert ["unit", "FAILED", "6", "1", "2", "1:01"] in lines
    assert ["web", "passed", "2", "0", "1", "0:05"] in lines
    assert ["lint", "passed", "0:04"] in lines
    assert "  3 × no docker" in text
    assert "failed:\n  test_x" in text
    assert text.endswith("1:06  FAILED: unit; logs are in .cache/tests/")


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_pytest_counts_is_written_down(tmp_path: Path, root: Path, workers: str) -> None:
    Path("test_it.py").write_text(TESTS)
    plugins = ["-p", "xdist", "-p", "tests.outcome"]
    command = [sys.executable, "-m", "pytest", "-q", *plugins, "-n", workers]
    env = {**os.environ, "PYTHONPATH": str(root), "TEST_OUTCOME": str(tmp_path / "it"),
           "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # fmt: skip

    subprocess.run(command, env=env, stdout=subprocess.DEVNULL, timeout=200)

    counts = read_counts(tmp_path.glob("it.*.json"))
    assert (counts.total, counts.passed) == (4, 2)
    assert sorted(name.partition("::")[2] for name in counts.failed) == [
        "test_fails", "test_passes_and_leaves_a_mess",
    ]  # fmt: skip
    assert counts.skipped == (("no docker", 1),)


def cluster(*failed: str, code: int = 2, total: int = 9) -> Result:
    return Result("test-cluster", code, 1.0, Counts(total, 9 - len(failed), failed))


def test_a_few_failures_of_a_suite_with_real_processes_are_tried_again() -> None:
    assert is_tried_again(cluster("a", "b"))
    assert not is_tried_again(cluster(code=0))
    assert not is_tried_again(cluster())  # it failed, but none of its tests
    assert not is_tried_again(cluster(*"abcdef"))
    assert not is_tried_again(cluster("a", total=20))  # it was broken off
    assert not is_tried_again(Result("test-unit", 2, 1.0, Counts(9, 8, ("a",))))


@pytest.mark.parametrize("mended", [True, False])
def test_a_test_that_passes_when_tried_again_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch, mended: bool
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(root))
    Path(".cache/tests").mkdir(parents=True)
    Path("test_it.py").write_text(TESTS.replace("assert False", f"assert {mended}"))
    plugin = [sys.executable, "-m", "pytest", "-q", "-p", "tests.outcome"]
    said: list[str] = []

    first = cluster("test_it.py::test_fails")
    result = try_again(first, lambda _: plugin, said.append)

    text = summary([result], 1.0)
    if mended:
        assert (result.code, result.counts.passed, result.counts.failed) == (0, 9, ())
        assert "failed, then passed when tried again alone:\n  test_it.py::test_fails" in text
        assert text.endswith("all passed")
    else:
        assert result == first
        assert "failed:\n  test_it.py::test_fails" in text
        assert "assert False" in "\n".join(said)
