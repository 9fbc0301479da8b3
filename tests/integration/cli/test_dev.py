"""`zerog dev`: starts everything, reloads, and leaves nothing behind."""

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from .conftest import DEADLINE_SECONDS, JOBS

#: Systems are started and stopped in them, on machines that may be busy.
pytestmark = pytest.mark.timeout(900)


def test_one_interrupt_ends_everything_cleanly(own: Any) -> None:
    dev = own()
    family = psutil.Process(dev.process.pid).children(recursive=True)
    assert len(family) >= 3  # beanstalkd, API, worker

    assert dev.stop() == 0

    assert "Try, in another terminal" in dev.log.read_text()
    _, alive = psutil.wait_procs(family, timeout=DEADLINE_SECONDS)
    assert alive == []
    assert not dev.answers()


def test_a_job_that_runs_is_finished_or_given_back_and_runs_after_a_restart(own: Any) -> None:
    dev = own()
    uuid = dev.submit("Hello", "name=Ada", "seconds=600")
    dev.wait_until(lambda: dev.state(uuid) == "running")

    dev.stop()
    again = own()

    attempts = again.json("info", uuid)["attempts"]
    assert attempts[0]["cause"] == "interrupted"
    again.run("cancel", uuid)


def test_a_change_of_the_jobs_restarts_the_worker(own: Any) -> None:
    dev = own("--reload")
    assert "Hello, Ada." in dev.run("run", "Hello", "name=Ada")

    dev.jobs.write_text(JOBS.replace("Hello, {self.name}", "Good day, {self.name}"))

    dev.wait_for("runs Broken, Hello", count=2)
    assert "Good day, Ada." in dev.run("run", "Hello", "name=Ada")


VALIDATOR = """
    @pydantic.field_validator("name")
    @classmethod
    def check_name(cls, name):
        if name == "Bob":
            raise ValueError("Bob is {}")
        return name
"""


def test_a_validator_refuses_at_once_and_so_does_a_changed_one(own: Any) -> None:
    dev = own("--reload")
    assert "Hello, Bob." in dev.run("run", "Hello", "name=Bob")

    for words in ("asleep", "away"):
        text = JOBS.replace('"""Say hello."""', '"""Say hello."""' + VALIDATOR.format(words))
        dev.jobs.write_text("import pydantic\n" + text)

        dev.wait_until(lambda words=words: f"$.name: Bob is {words}" in dev.tried("name=Bob"))

    assert "Hello, Ada." in dev.run("run", "Hello", "name=Ada")


def test_a_port_that_is_taken_is_said(own: Any) -> None:
    dev = own()

    output = dev.run("dev", "--port", str(dev.port), str(dev.jobs), code=2)

    assert "in use" in output


def test_a_folder_that_another_one_uses_is_said_with_what_to_do(own: Any) -> None:
    dev = own()

    output = dev.run("dev", str(dev.jobs), code=2)

    assert f"another `zerog dev` (process {dev.process.pid}) uses the folder" in output
    assert f"http://127.0.0.1:{dev.port}" in output
    assert "`--data FOLDER`" in output
    assert "waldirlock" not in output  # beanstalkd's own words are in its log
    assert dev.json("types")  # the first one is still found


def test_a_file_that_is_not_there_is_said_before_anything_starts(dev: Any) -> None:
    assert "there is no file 'nope.py'" in dev.run("dev", "nope.py", code=2)


@pytest.mark.parametrize("folder", ["jobs.py/data", "/proc/nope"])
def test_a_folder_that_cannot_be_written_is_said(dev: Any, folder: str) -> None:
    output = dev.run("dev", str(dev.jobs), "--data", folder, code=2)

    assert "cannot write to the folder" in output
    assert "`--data FOLDER`" in output
    assert "Traceback" not in output


def test_a_line_of_megabytes_is_cut_and_the_log_goes_on(own: Any) -> None:
    dev = own(LONG_LINE="3000000")  # the worker is up: it is not held by its full pipe

    assert "Hello, Ada." in dev.run("run", "Hello", "name=Ada")

    assert dev.stop() == 0
    log = dev.log.read_text()
    assert "more bytes of this line are not shown" in log
    assert len(log) < 1_000_000
    assert "draining" in log


def test_the_environment_s_proxies_and_certificates_are_not_for_this_machine(own: Any) -> None:
    dev = own(
        http_proxy="http://127.0.0.1:1",
        ALL_PROXY="socks5://127.0.0.1:1",
        SSL_CERT_FILE="/no/such/file.pem",
    )

    assert "Hello, Ada." in dev.run("run", "Hello", "name=Ada")
    assert "Traceback" not in dev.log.read_text()


def test_hints_can_be_left_out(own: Any) -> None:
    dev = own("--no-hints")
    dev.stop()

    assert "Try, in another terminal" not in dev.log.read_text()


def test_an_interrupt_from_the_terminal_and_one_from_a_script_are_one(
    own: Any, tmp_path: Path
) -> None:
    dev, hold = own(), tmp_path / "hold"
    uuid = dev.submit("Hello", "name=Ada", f"hold={hold}")
    dev.wait_until(lambda: dev.state(uuid) == "running")

    # What ^C under `make run` does.
    os.killpg(dev.process.pid, signal.SIGINT)
    dev.process.send_signal(signal.SIGTERM)

    dev.wait_for("draining: jobs may finish")
    hold.touch()
    assert dev.process.wait(DEADLINE_SECONDS) == 0
    assert "starts again" not in dev.log.read_text()
    assert own().json("info", uuid)["attempts"][0]["cause"] == "succeeded"


def test_a_second_interrupt_ends_at_once_what_will_not_end(own: Any) -> None:
    dev = own("--grace-seconds", "3600")
    uuid = dev.submit("Stubborn")
    dev.wait_until(lambda: dev.state(uuid) == "running")
    family = psutil.Process(dev.process.pid).children(recursive=True)

    os.killpg(dev.process.pid, signal.SIGINT)
    dev.wait_for("draining: jobs may finish")
    os.killpg(dev.process.pid, signal.SIGINT)

    dev.process.wait(DEADLINE_SECONDS)
    _, alive = psutil.wait_procs(family, timeout=DEADLINE_SECONDS)
    assert alive == []
    assert "starts again" not in dev.log.read_text()
    again = own()
    dev.wait_until(lambda: len(again.json("info", uuid)["attempts"]) >= 2)
    # After the first one alone it would have been interrupted, in good order.
    assert again.json("info", uuid)["attempts"][0]["cause"] == "crash"
    again.run("cancel", uuid)
