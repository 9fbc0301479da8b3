"""The command line as people use it, against a running system."""

import re

import pytest

from .conftest import Dev

#: Systems are started in them, on machines that may be busy.
pytestmark = pytest.mark.timeout(900)

#: `zerog.cli.codes`: part of what scripts rely on.
NOT_FINISHED, CANCELLED = 4, 5
UNKNOWN = "00000000-0000-7000-8000-000000000000"


def test_run_prints_the_result_and_exits_as_the_job_did(dev: Dev) -> None:
    assert "Hello, Ada." in dev.run("run", "Hello", "name=Ada")
    output = dev.run("run", "Broken", code=1)
    assert "broken by design" in output


def test_submit_watch_and_data_give_the_same_as_run(dev: Dev) -> None:
    uuid = dev.submit("Hello", "name=Bob", "seconds=0.5")
    assert re.fullmatch(r"[0-9a-f-]{36}", uuid)

    watched = dev.run("watch", uuid)

    assert "greeted Bob" in watched
    assert "succeeded" in watched
    assert "\x1b" not in watched  # plain in a pipe
    assert "Hello, Bob." in dev.run("data", uuid)


def test_lists_are_tables_for_people_and_json_for_programs(dev: Dev) -> None:
    uuid = dev.submit("Hello", "name=Eve")
    dev.run("watch", uuid)

    assert uuid in dev.run("list")
    assert any(job["uuid"] == uuid for job in dev.json("list"))
    assert dev.json("info", uuid)["state"] == "succeeded"
    assert "Say hello." in dev.run("types")
    assert "default" in dev.run("queues")
    dev.wait_until(lambda: "idle" in dev.run("workers"))  # by its next beat


def test_cancel_ends_a_running_job_and_retry_runs_it_again(dev: Dev) -> None:
    uuid = dev.submit("Hello", "name=Kim", "seconds=600")

    dev.run("cancel", uuid)

    dev.run("watch", uuid, code=CANCELLED)
    assert dev.json("info", uuid)["state"] == "cancelled"
    dev.run("retry", uuid)
    assert dev.json("info", uuid)["state"] != "cancelled"
    dev.run("cancel", uuid)


def test_each_error_says_what_to_do(dev: Dev) -> None:
    assert "zerog: error" in dev.run("run", "Nope", code=1)
    assert '"name" is a required property' in dev.run("run", "Hello", code=1)
    assert UNKNOWN in dev.run("info", UNKNOWN, code=1)
    assert "`zerog list` shows the stored jobs" in dev.run("info", UNKNOWN, code=1)
    assert "did you mean Hello?" in dev.run("run", "Hallo", code=1)
    assert "no matching job to retry" in dev.run("retry", "--type", "Nope", "--yes")
    assert "No matching jobs" in dev.run("list", "--type", "Nope")


def test_data_that_cannot_be_written_is_not_lost(dev: Dev) -> None:
    output = dev.run("run", "Hello", "name=Ada", "-o", "no/such/folder", code=2)

    (uuid,) = re.findall(r"^  zerog data ([0-9a-f-]{36})$", output, re.MULTILINE)
    assert "Hello, Ada." in dev.run("data", uuid)


def test_a_failed_job_is_followed_by_what_to_do(dev: Dev) -> None:
    output = dev.run("run", "Broken", code=1)

    assert re.search(r"zerog info [0-9a-f-]{36} +attempts, tracebacks", output)
    assert re.search(r"zerog retry [0-9a-f-]{36} +run it again", output)
    (uuid,) = re.findall(r"zerog info ([0-9a-f-]{36})", output)
    assert 'raise ValueError("broken by design")' in dev.run("info", uuid)


def test_the_data_of_a_job_that_did_not_succeed_is_told_by_words_and_exit_code(dev: Dev) -> None:
    dev.run("run", "Broken", code=1)
    failed = dev.json("list", "--type", "Broken", "-n", "1")[0]["uuid"]
    waits = dev.submit("Hello", "name=Ida", "--delay", "3600")

    output = dev.run("data", failed, code=1)
    assert f"job {failed} failed with result code 500: ValueError: broken by design" in output
    assert "null" not in output
    assert "is queued, not finished" in dev.run("data", waits, code=NOT_FINISHED)
    dev.run("cancel", waits)
    assert "cancelled with result code 410" in dev.run("data", waits, code=CANCELLED)


def test_a_failed_job_that_has_data_prints_it_and_fails_all_the_same(dev: Dev) -> None:
    output = dev.run("run", "Partial", code=1)
    (uuid,) = re.findall(r"zerog info ([0-9a-f-]{36})", output)

    assert '"rows": 7' in output
    again = dev.run("data", uuid, code=1)
    assert '"rows": 7' in again
    assert "failed with result code 422" in again


def test_a_job_that_refuses_to_be_cancelled_does_not_keep_the_others_from_it(dev: Dev) -> None:
    done = dev.submit("Hello", "name=Ida")
    dev.run("watch", done)
    waits = dev.submit("Hello", "name=Ida", "--delay", "3600")

    output = dev.run("cancel", done, waits, code=1)

    assert f"{waits} cancelled\n" in output
    assert f"{done} has succeeded already" in output


def test_a_deleted_job_is_named(dev: Dev) -> None:
    uuid = dev.submit("Hello", "name=Max")
    dev.run("watch", uuid)

    assert dev.run("delete", uuid) == f"{uuid} deleted\n"


def test_every_command_explains_itself(dev: Dev) -> None:
    overview = dev.run("--help")
    for command in ("dev", "worker", "api", "describe", "submit", "watch", "run", "list", "info",
                    "data", "cancel", "retry", "types", "queues", "workers", "repair"):  # fmt: skip
        assert command in overview
        assert "usage: zerog" in dev.run(command, "--help")
