"""The project outside this repository: its tests, its wheel, its CI and its compose file, without
docker."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.docs.reader import DEADLINE_SECONDS, ROOT
from tests.integration.path.conftest import until
from tests.processes import start_zerog
from tests.readiness import is_success

import zerog
from zerog_tools.cluster.ports import free_port

#: Systems are started in them, on machines that may be busy.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, with its wheel built."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "examples/project", folder)
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel"], folder)
    return folder


@pytest.fixture
def env(project: Path) -> dict[str, str]:
    """An environment in which the wheel is installed."""
    (wheel,) = project.glob("dist/*.whl")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ZEROG_")}
    paths = [str(wheel), *filter(None, [plain.get("PYTHONPATH")])]
    where = f"{Path(sys.executable).parent}:{plain['PATH']}"
    return {**plain, "PYTHONPATH": ":".join(paths), "PATH": where}


def _run(command: list[str], folder: Path, env: Mapping[str, str] | None = None) -> str:
    result = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=DEADLINE_SECONDS
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_its_tests_pass(project: Path, env: dict[str, str]) -> None:
    assert "2 passed" in _run([sys.executable, "-m", "pytest", "-q"], project, env)


def test_its_ci_runs_a_job_through_everything(project: Path, env: dict[str, str]) -> None:
    said = _run(["bash", "try.sh"], project, {**env, "PORT": str(free_port())})

    assert "<h1>Cats</h1>" in said


def test_its_ci_is_its_files() -> None:
    workflow = (ROOT / "examples/project/.github/workflows/test.yml").read_text()
    ours = (ROOT / ".github/workflows/ci.yml").read_text()

    for step in re.findall(r"uses: (\S+)", workflow):
        assert step in ours, f"{step} is not the version that our own CI uses"
    assert "try.sh" in workflow


def test_its_image_is_made_of_what_is_there(project: Path) -> None:
    lines = (project / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1] for line in lines if line.startswith("COPY")]

    assert all(list(project.glob(pattern)) for pattern in copied)
    assert lines[1] in (ROOT / "examples/image/Dockerfile").read_text()
    _, entry = (project / "requirements.txt").read_text().split("\n", 1)
    assert entry in (ROOT / "requirements.lock").read_text()


@pytest.fixture
def composed(project: Path, env: dict[str, str]) -> Iterator[str]:
    """The services of the compose file as processes of this machine; the address of the API."""
    services = yaml.safe_load((project / "compose.yaml").read_text())["services"]
    port, queue = free_port(), f"127.0.0.1:{free_port()}"
    server = ["beanstalkd", "-l", "127.0.0.1", "-p", queue.partition(":")[2]]
    running: list[subprocess.Popen[bytes]] = [subprocess.Popen(server)]
    try:
        for name in ("api", "worker"):
            where = {
                key: value.replace("/data/", f"{project}/").replace("beanstalkd:11300", queue)
                for key, value in services[name]["environment"].items()
            }
            ours = where | ({"ZEROG_PORT": str(port)} if name == "api" else {})
            with (project / f"{name}.log").open("wb") as log:
                command = services[name]["command"]
                running.append(start_zerog(command, cwd=project, env=env | ours, stdout=log))
        until(lambda: is_success(f"http://127.0.0.1:{port}/readyz"))
        yield f"http://127.0.0.1:{port}"
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(DEADLINE_SECONDS)


def test_the_services_of_its_compose_file_run_a_job(composed: str) -> None:
    with zerog.Client(composed) as client:
        until(lambda: _knows(client, "RenderPage"))
        data = client.result(client.submit("RenderPage", {"text": "# Cats"}), DEADLINE_SECONDS)

    assert data == {"title": "Cats", "html": "<h1>Cats</h1>"}


def _knows(client: zerog.Client, name: str) -> bool:
    types: list[dict[str, Any]] = client.types()
    return any(each["name"] == name for each in types)
