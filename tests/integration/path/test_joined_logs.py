"""One id leads from a request through the API's log, the audit log and the worker's log."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.path.conftest import System, until

from zerog.client import Client
from zerog.privatefile import write_private

TOKEN = "token-of-this-test-long-enough"
CALLER = {"name": "ada", "token": TOKEN, "queues": ["*"],
          "verbs": ["create", "get", "list", "update", "delete"]}  # fmt: skip
JOBS = """
import ctypes, logging, subprocess, sys
import zerog

class Talks(zerog.Job):
    crash: bool = False
    class Options:
        max_crashes = 1
    def run(self, ctx):
        print("printed")
        logging.getLogger("acme").warning("logged")
        subprocess.run(["echo", "of a program"])
        if self.crash:
            ctypes.string_at(0)

class Private(zerog.Job):
    class Options:
        log_output = False
    def run(self, ctx):
        print("private")
        ctx.info("public")
"""
REQUEST, TRACE = "order-4711", "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"X-Request-Id": REQUEST, "Traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder: Path = tmp_path_factory.mktemp("joined")
    write_private(folder / "tokens.json", json.dumps({"tokens": [CALLER]}))
    (folder / "talks.py").write_text(JOBS)
    made = System(folder)
    made.client = Client(f"http://127.0.0.1:{made.port}", token=TOKEN)
    try:
        made.beanstalkd.start()
        tokens = {"ZEROG_AUTH": "tokens", "ZEROG_TOKENS": str(folder / "tokens.json")}
        made.start("api", "--port", str(made.port), "--log-format", "json", **tokens)
        until(made.is_ready, what="the API is ready")
        made.start_worker("--log-format", "json", jobs=folder / "talks.py")
        yield made
    finally:
        made.close()


def submit(system: System, job_type: str, **parameters: Any) -> tuple[str, httpx.Response]:
    answer = httpx.post(
        f"http://127.0.0.1:{system.port}/v1/jobs/{job_type}",
        json=parameters, headers={**HEADERS, "Authorization": f"Bearer {TOKEN}"},
    )  # fmt: skip
    uuid = answer.raise_for_status().json()["uuid"]
    until(lambda: system.client.progress(uuid)["resultCode"] != -1)
    return uuid, answer


def records(system: System, part: str) -> list[dict[str, Any]]:
    (log,) = system.folder.glob(f"*-{part}.log")
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def about(system: System, part: str, logger: str, uuid: str) -> list[dict[str, Any]]:
    found = [each for each in records(system, part) if each["logger"] == logger]
    return [each for each in found if uuid in json.dumps(each)]


def test_one_request_id_is_in_all_three_logs_with_the_job_and_the_trace(system: System) -> None:
    uuid, answer = submit(system, "Talks")

    assert answer.headers["X-Request-Id"] == REQUEST
    (request,) = about(system, "api", "zerog.requests", uuid)
    (audited,) = until(lambda: about(system, "api", "zerog.audit", uuid))
    lines = until(lambda: about(system, "worker", "zerog.job", uuid))
    assert (request["requestId"], request["traceId"]) == (REQUEST, TRACE)
    assert request["jobs"] == [uuid]
    (change,) = audited["changes"]
    assert (change["requestIds"], change["traceIds"]) == ([REQUEST], [TRACE])
    assert {(line["requestId"], line["traceId"], line["job"]) for line in lines} == {
        (REQUEST, TRACE, uuid)
    }
    info = system.client.info(uuid)
    assert (info["requestId"], info["traceParent"]) == (REQUEST, HEADERS["Traceparent"])


def test_what_a_job_prints_is_in_its_log_and_in_its_workers(system: System) -> None:
    uuid, _ = submit(system, "Talks")

    info = system.client.info(uuid)
    kept = [(line["logger"], line["message"]) for line in info["events"]]
    assert sorted(kept) == [("output", "of a program"), ("stdout", "printed")]
    assert [(line["logger"], line["message"]) for line in info["warnings"]] == [("acme", "logged")]
    lines = about(system, "worker", "zerog.job", uuid)
    assert sorted((line["level"], line["jobLogger"], line["message"]) for line in lines) == [
        ("info", "output", "of a program"),
        ("info", "stdout", "printed"),
        ("warning", "acme", "logged"),
    ]
    assert {(line["type"], line["attempt"]) for line in lines} == {("Talks", 1)}


def test_an_attempt_that_crashed_says_where(system: System) -> None:
    uuid, _ = submit(system, "Talks", crash=True)

    info = system.client.info(uuid)
    (attempt,) = info["attempts"]
    assert attempt["message"].startswith("the job's process died: signal 11 (SIGSEGV), at ")
    assert "talks.py:14" in attempt["message"]
    messages = [line["message"] for line in info["events"]]
    assert "Fatal Python error: Segmentation fault" in messages
    assert "printed" in messages


def test_output_that_is_not_to_be_kept_is_in_the_workers_log_only(system: System) -> None:
    uuid, _ = submit(system, "Private")

    assert [line["message"] for line in system.client.info(uuid)["events"]] == ["public"]
    lines = about(system, "worker", "zerog.job", uuid)
    assert sorted(line["message"] for line in lines) == ["private", "public"]


def test_a_request_without_an_id_or_with_a_wrong_one_gets_one(system: System) -> None:
    url = f"http://127.0.0.1:{system.port}/v1/jobs/none"
    answers = [httpx.get(url), httpx.get(url, headers={"X-Request-Id": "a b"})]

    ids = {answer.headers["X-Request-Id"] for answer in answers}
    assert len(ids) == 2
    assert all(len(each) == 36 for each in ids)
