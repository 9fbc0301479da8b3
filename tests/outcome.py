"""A pytest plugin: what a run comes to, in a file that `hack/suites.py` reads while it runs.

It writes only where `TEST_OUTCOME` says so, one file for each run: its process id stands behind the
name. It has the reasons of skipped tests: what was not tested must not look like what passed.
`TEST_ONLY` names a file with the tests to run, as JSON; the others of the run are left out.
"""

import dataclasses
import json
import os
import time
from pathlib import Path

import pytest

_PAUSE_SECONDS = 1.0


@dataclasses.dataclass
class Outcome:
    """What has become of a run's tests so far."""

    total: int = 0
    passed: int = 0
    failed: list[str] = dataclasses.field(default_factory=list)
    #: How many tests were skipped, by reason.
    skipped: dict[str, int] = dataclasses.field(default_factory=dict)


class OutcomeWriter:
    """Counts the reports of a run's tests, and writes the counts down."""

    def __init__(self, path: Path) -> None:
        self._path, self._outcome = path, Outcome()
        self._written = 0.0
        self._session: pytest.Session | None = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Remember who knows how many tests there are."""
        self._session = session

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a part of a test: its set-up, the test itself, or what comes behind."""
        if report.failed:
            self._outcome.failed.append(report.nodeid)
        elif report.skipped:
            reason = _reason(report)
            self._outcome.skipped[reason] = self._outcome.skipped.get(reason, 0) + 1
        elif report.when == "call":
            self._outcome.passed += 1
        if time.monotonic() - self._written > _PAUSE_SECONDS:
            self._write()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported has failed."""
        if report.failed:
            self._outcome.failed.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write the last counts."""
        self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        if self._session is not None:
            self._outcome.total = self._session.testscollected
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(dataclasses.asdict(self._outcome)))
        new.replace(self._path)


def pytest_configure(config: pytest.Config) -> None:
    """Write the counts of this run, if somebody wants them; parts of a run have no counts."""
    where = os.environ.get("TEST_OUTCOME")
    if where and not hasattr(config, "workerinput"):
        config.pluginmanager.register(OutcomeWriter(Path(f"{where}.{os.getpid()}.json")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep only the tests that a file names, if there is one."""
    if (only := os.environ.get("TEST_ONLY")) is not None:
        named = set(json.loads(Path(only).read_text()))
        items[:] = [item for item in items if item.nodeid in named]


def _reason(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return f"known to fail: {report.wasxfail.removeprefix('reason: ')}"
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)
