"""A real browser on a real ZeroG. Whatever a page complains about fails its test: errors on
the console, violations of the Content-Security-Policy, requests to anywhere else."""

import contextlib
import importlib.util
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)
from tests.integration.path.conftest import DEADLINE_SECONDS, System, until

from zerog.client import ApiError

JOBS = Path(__file__).with_name("jobs_for_tests.py")
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
expect.set_options(timeout=DEADLINE_SECONDS * 1000)


@dataclass
class Complaints:
    """What pages complained about. A test may say what it provokes."""

    found: list[str] = field(default_factory=list)
    #: Texts of complaints that the test provokes.
    provoked: list[str] = field(default_factory=list)

    def watch(self, page: Page, origin: str) -> None:
        """Listen to a page."""

        def console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.found.append(f"console: {message.text}")

        def request(made: Request) -> None:
            parts = urlsplit(made.url)
            if (
                parts.scheme not in ("data", "blob")
                and f"{parts.scheme}://{parts.netloc}" != origin
            ):
                self.found.append(f"a request to elsewhere: {made.url}")

        page.on("console", console)
        page.on("pageerror", lambda error: self.found.append(f"error: {error}"))
        page.on("request", request)

    def check(self) -> None:
        """Fail for what was not provoked."""
        bad = [text for text in self.found if not any(part in text for part in self.provoked)]
        assert bad == []


@dataclass
class Web:
    """A ZeroG and a browser that looks at it."""

    system: System
    browser: Browser
    complaints: Complaints
    contexts: list[BrowserContext] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.system.port}"

    def open(self, route: str = "/", **options: Any) -> Page:
        """Open a view in a new window."""
        context = self.browser.new_context(
            **{"viewport": {"width": 1280, "height": 860}, **options}
        )
        context.set_default_timeout(DEADLINE_SECONDS * 1000)
        self.contexts.append(context)
        page = context.new_page()
        self.complaints.watch(page, self.url)
        page.goto(f"{self.url}/#{route}")
        return page

    def submit(self, job_type: str, count: int = 1, **parameters: Any) -> list[str]:
        """Submit jobs by the API."""
        client = self.system.client
        return [client.submit(job_type, parameters) for _ in range(count)]

    def close(self) -> None:
        """Close all windows: nothing is asked any more."""
        for context in self.contexts:
            for page in context.pages:
                page.unroute_all(behavior="ignoreErrors")  # what is answered late is nobody's
            context.close()
        self.contexts = []

    def state(self, uuid: str) -> str:
        """Return a job's state."""
        return str(self.system.client.info(uuid)["state"])

    def api(self) -> subprocess.Popen[bytes]:
        """Return the API's process."""
        running = [item for item in self.system.processes if item.poll() is None]
        return next(item for item in running if "'api'" in str(item.args))

    def end_jobs(self) -> None:
        """Cancel what has not ended, and wait until it has."""
        client = self.system.client
        left = [job["uuid"] for job in client.list(states=["queued", "running", "waiting"])]
        for uuid in left:
            with contextlib.suppress(ApiError):  # it has just ended
                client.cancel(uuid)
        self.finished(*left)

    def finished(self, *uuids: str) -> None:
        """Wait for jobs' ends."""
        for uuid in uuids:
            self.system.client.wait(uuid, DEADLINE_SECONDS)


def start_worker(system: System) -> None:
    """Start a worker of two slots, and wait until it is there and no other one is listed."""
    env = {"ZEROG_CANCEL_GRACE_SECONDS": "0.2", "ZEROG_KILL_GRACE_SECONDS": "0.5"}
    system.start("worker", str(JOBS), "--slots", "2", **env)
    until(lambda: len(system.client.workers()) == 1, what="one worker is there")


@pytest.fixture(scope="session")
def web_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A whole system with a worker of two slots."""
    made = System(tmp_path_factory.mktemp("web"))
    try:
        made.beanstalkd.start()
        made.start_api()
        start_worker(made)
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium with an empty profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(FLAGS), timeout=DEADLINE_SECONDS * 1000
        )
        yield browser
        browser.close()


@pytest.fixture
def web(web_system: System, browser: Browser) -> Iterator[Web]:
    """Look at the system; in the end nothing may have been complained about."""
    made = Web(web_system, browser, Complaints())
    try:
        yield made
    finally:
        made.close()
        made.end_jobs()
    made.complaints.check()


@pytest.fixture(scope="session")
def axe() -> Callable[[Page], list[str]]:
    """Look for what shuts people out: WCAG 2.2 A and AA, and good practice."""
    package = importlib.util.find_spec("axe_playwright_python")
    assert package is not None
    assert package.origin is not None
    source = Path(package.origin).with_name("axe.min.js").read_text()

    def check(page: Page) -> list[str]:
        page.evaluate(source)
        result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{item['id']}: {item['help']}: {json.dumps(node['target'])} {node['failureSummary']}"
            for item in result["violations"]
            for node in item["nodes"]
        ]

    return check
