"""Every example runs, and shows what its README says it shows."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.integration.docs.reader import ROOT, Reader, lines, typed

import zerog
from zerog_tools.cluster.ports import free_port

#: Systems are started in them, on machines that may be busy.
pytestmark = pytest.mark.timeout(900)

JOBS = ("hello", "progress", "continue", "fanout", "async_job", "jobs")
DEADLINE_SECONDS = 240.0
#: A reader of a README types these; what is served for long is started by the test that asks it.
READ = ("hello", "progress", "continue", "fanout", "async_job", "jobs")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """One running system with the jobs of all examples."""
    jobs = [f"examples/{name}/*.py" for name in JOBS]
    made = Reader(tmp_path_factory.mktemp("examples"), *jobs)
    yield made
    made.dev.close()


@pytest.fixture
def client(reader: Reader) -> Iterator[zerog.Client]:
    """A client of that system."""
    with zerog.Client(reader.env["ZEROG_URL"]) as made:
        yield made


def result(client: zerog.Client, type_name: str, **parameters: Any) -> tuple[Any, dict[str, Any]]:
    """Run a job, return its data and what is known of it."""
    uuid = client.submit(type_name, parameters)
    return client.result(uuid, DEADLINE_SECONDS), client.info(uuid)


def test_every_example_has_a_readme_and_is_listed() -> None:
    folders = {path.name for path in (ROOT / "examples").iterdir() if path.is_dir()}
    folders.discard("__pycache__")
    listed = (ROOT / "examples/README.md").read_text()

    assert folders == {*JOBS, "service", "image", "project"}
    for name in folders:
        assert (ROOT / "examples" / name / "README.md").exists(), name
        assert f"({name}/README.md)" in listed, name


@pytest.mark.parametrize("name", READ)
def test_the_commands_of_an_example_work(name: str, reader: Reader) -> None:
    commands = typed(f"examples/{name}/README.md")

    assert commands
    for command in commands:
        assert reader.type(command).strip(), f"{command} said nothing"


def test_hello_greets_and_refuses_what_is_no_name(client: zerog.Client) -> None:
    data, _ = result(client, "SayHello", name="Ada")

    assert data == {"text": "Hello, Ada!"}
    with pytest.raises(Exception, match="name"):
        client.submit("SayHello", {"name": 1})


def test_progress_reaches_the_end_and_is_logged(client: zerog.Client) -> None:
    data, info = result(client, "CountPrimes", below=1000, block=100)

    assert data == {"below": 1000, "primes": 168}
    assert info["completeness"] == 1.0
    assert info["events"][-1]["message"] == "168 primes below 1000"


def test_slices_are_attempts_that_cost_no_budget(client: zerog.Client) -> None:
    data, info = result(client, "SumOfRoots", n=25, slice_size=10, pause_seconds=0)

    assert data["total"] == pytest.approx(sum(k**0.5 for k in range(1, 26)))
    assert [attempt["cause"] for attempt in info["attempts"][:2]] == ["continued", "continued"]
    assert info["errors"] == []


def test_a_checkpoint_survives_the_death_of_the_process(client: zerog.Client) -> None:
    data, info = result(client, "Factorial", n=6, die_before=4)

    assert data == {"factorial": "720", "attempts": 2}
    assert info["attempts"][0]["cause"] == "crash"
    assert any("goes on after step 3" in line["message"] for line in info["events"])


def test_an_async_job_fetches_all_its_pages(client: zerog.Client, reader: Reader) -> None:
    urls = [f"{reader.env['ZEROG_URL']}/{path}" for path in ("healthz", "no-such-page")]

    data, _ = result(client, "Fetch", urls=urls)

    assert [data[url]["status"] for url in urls] == [200, 404]


def test_a_service_answers_at_once_and_has_the_report_later(reader: Reader) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [sys.executable, "examples/service/service.py"],
        cwd=ROOT, env={**reader.env, "PORT": str(port)},
    ) as service:  # fmt: skip
        try:
            reader.dev.wait_until(lambda: _answers(url))
            key = {"Idempotency-Key": f"example-{os.getpid()}"}
            posts = [
                httpx.post(f"{url}/reports", content="One two two.", headers=key, timeout=30)
                for _ in range(2)
            ]
            where = url + posts[0].headers["Location"]
            reader.dev.wait_until(lambda: httpx.get(where, timeout=30).status_code == 200)
            (curl,) = [line for line in lines("examples/service/README.md") if "curl" in line]
            printed = reader.type(curl.replace("127.0.0.1:8000", f"127.0.0.1:{port}"))
            report = httpx.get(where, timeout=30).json()["report"]
            theirs = {**key, "X-Customer": "another"}
            other = httpx.post(f"{url}/reports", content="Four.", headers=theirs, timeout=30)
            clash = httpx.post(f"{url}/reports", content="Four.", headers=key, timeout=30)
            hidden = httpx.get(where, headers=theirs, timeout=30)
            nothing = httpx.get(f"{url}/reports/none", timeout=30)
        finally:
            service.terminate()

    assert "HTTP/1.1 202" in printed
    assert [post.status_code for post in posts] == [202, 202]
    assert posts[0].json() == posts[1].json()
    assert report["words"] == 3
    assert (other.status_code, clash.status_code) == (202, 409)
    assert other.json() != posts[0].json()
    for refused in (hidden, nothing):
        assert (refused.status_code, refused.json()) == (404, {"error": "no such report"})


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/", timeout=5).status_code == 404
    except httpx.TransportError:
        return False


def test_the_image_example_is_a_job_type(reader: Reader) -> None:
    assert "Greet" in reader.type("zerog describe examples/image/greetings.py")
