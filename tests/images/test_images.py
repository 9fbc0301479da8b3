"""The container images: what they say of themselves, and a job through all of them."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.images.containers import ROOT, Runner

from zerog.client import Client
from zerog_tools.cluster.ports import free_port
from zerog_tools.cluster.process import wait_until
from zerog_tools.images import build as builder
from zerog_tools.release import reproduce

OURS = ("api", "operator", "worker", "example")
USER = "65532:65532"
#: The first test may have to build them.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def images(request: pytest.FixtureRequest) -> Any:
    """The images, built if they are not there yet."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            return builder.ensure_images()
    except builder.CannotBuildError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def runner(images: Any) -> Runner:
    """Runs programs of the images."""
    storage = ["--root", f"{builder.cache_folder()}/storage", "--runroot",
               f"{builder.cache_folder()}/run"]  # fmt: skip
    made = Runner(builder.find_builder(), storage)
    for name in (*OURS, "beanstalkd"):
        made.load(images.archive(name))
    return made


def configuration(images: Any, name: str) -> dict[str, Any]:
    """Return an image's configuration out of its archive."""
    with tarfile.open(images.archive(name)) as archive:
        manifest = json.load(archive.extractfile("manifest.json") or pytest.fail("no manifest"))
        assert manifest[0]["RepoTags"] == [images.name(name)]
        document = json.load(archive.extractfile(manifest[0]["Config"]) or pytest.fail("empty"))
    return dict(document["config"])


@pytest.mark.parametrize("name", [*OURS, "beanstalkd"])
def test_an_image_runs_as_nobody_and_says_what_it_is(images: Any, name: str) -> None:
    config = configuration(images, name)

    assert config["User"] == USER
    assert config["Labels"]["org.opencontainers.image.version"] == images.version
    assert config["Labels"]["org.opencontainers.image.licenses"]
    assert config["Labels"]["org.opencontainers.image.title"]


@pytest.mark.parametrize("name", OURS)
def test_our_process_is_the_first_one(images: Any, name: str) -> None:
    first = configuration(images, name)["Entrypoint"]

    assert first == (["zerog-operator"] if name == "operator" else ["zerog"])


def test_the_example_is_two_lines_on_the_worker() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    lines = (ROOT / "examples/image/Dockerfile").read_text().splitlines()

    assert lines == [f"FROM localhost/zerog/worker:{version}", "COPY greetings.py /jobs/"]


@pytest.mark.parametrize(("name", "folder"), [("api", "api"), ("operator", "operator"),
                                              ("worker", "jobrunner")])  # fmt: skip
def test_an_image_holds_what_is_locked_and_its_bill_says_so(
    images: Any, runner: Runner, name: str, folder: str
) -> None:
    lock = (ROOT / folder / "requirements.lock").read_text().splitlines()
    locked = {line.split(" ")[0] for line in lock if "==" in line and line[0].isalnum()}
    code = (
        "from importlib.metadata import distributions\n"
        "for item in distributions(): print(f'{item.name.lower()}=={item.version}')"
    )
    bill = json.loads(runner.run(images.name(name), "cat", "/usr/share/sbom/zerog.cdx.json"))

    installed = set(runner.run(images.name(name), "python3", "-c", code).replace("_", "-").split())

    ours = {item for item in installed if item.startswith("zerog")}
    tools = {item for item in installed if item.split("==")[0] in ("pip", "setuptools")}
    assert ours
    assert installed - ours - tools <= locked
    assert {f"{item['name']}=={item['version']}" for item in bill["components"]} == locked


@pytest.mark.parametrize("name", [*OURS, "beanstalkd"])
def test_the_bill_beside_an_image_has_its_debian_packages_too(
    images: Any, runner: Runner, name: str
) -> None:
    bill = json.loads((images.folder / f"{name}.cdx.json").read_text())
    told = {item["name"]: item["version"] for item in bill["components"]
            if item["purl"].startswith("pkg:deb/debian/")}  # fmt: skip

    query = ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\n"]
    there = runner.run(images.name(name), *query).splitlines()

    assert told == dict(line.split(" ") for line in there)
    assert "libc6" in told
    assert ("beanstalkd" in told) is (name == "beanstalkd")


@pytest.mark.parametrize("name", [*OURS, "beanstalkd"])
def test_bytecode_does_not_depend_on_the_time_of_its_source(
    images: Any, runner: Runner, name: str
) -> None:
    # All files of an image have one time. Bytecode that names another is compiled at each start.
    code = (
        "from pathlib import Path\n"
        "for folder in ('/usr/lib', '/opt'):\n"
        "    for path in Path(folder).rglob('*.pyc'):\n"
        "        print('by hash' if path.read_bytes()[4] & 1 else path)"
    )

    told = runner.run(images.name(name), "python3", "-c", code).splitlines()

    assert len(told) > 100
    assert set(told) == {"by hash"}


@pytest.fixture
def clean_cache(images: Any) -> Iterator[Path]:
    """A cache with Debian's and Python's packages, which both builds share, and nothing built."""
    with tempfile.TemporaryDirectory(prefix="zerog-images-") as folder:
        cache = Path(folder) / "zerog" / "images"
        cache.mkdir(parents=True)
        for path in builder.cache_folder().glob("base-*.tar"):
            shutil.copy(path, cache)
        for path in builder.cache_folder().glob("wheels-*"):
            shutil.copytree(path, cache / path.name)
        yield Path(folder)


def test_an_image_that_is_built_again_elsewhere_has_the_same_files(
    images: Any, clean_cache: Path
) -> None:
    if builder.find_builder() != "buildah":
        pytest.skip("only buildah gives files another time than that of the build")
    env = {**os.environ, "XDG_CACHE_HOME": str(clean_cache), "TZ": "Asia/Kathmandu"}
    command = [sys.executable, "-m", "zerog_tools.images.build", "base", "worker"]
    subprocess.run(command, cwd=ROOT, env=env, check=True, umask=0o077, timeout=1000)
    (again,) = clean_cache.glob("zerog/images/build-*/worker.tar")

    found = reproduce.compare_images(images.archive("worker"), again)

    # The label with the revision may be another: an image is not built again for a commit alone.
    assert [text for text in found if text != "the configuration differs"] == []
    assert again.with_suffix(".cdx.json").read_bytes() == (
        images.archive("worker").with_suffix(".cdx.json").read_bytes()
    )


def test_an_image_has_no_compiler_and_nothing_to_write(images: Any, runner: Runner) -> None:
    script = "id -u; command -v gcc pip || echo none; touch /opt/zerog/x 2>&1 || true"
    told = runner.run(images.name("api"), "sh", "-c", script)

    assert told.splitlines()[:2] == ["65532", "none"]
    assert "Permission denied" in told or "Read-only" in told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that the images' user may write to."""
    made = tmp_path / "data"
    made.mkdir()
    made.chmod(0o777)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    tmp_path.chmod(0o755)
    return made


def test_a_job_goes_through_all_images(images: Any, runner: Runner, folder: Path) -> None:
    port, queue_port = free_port(), free_port()
    env = {"ZEROG_STORE": "sqlite:////data/zerog.db", "ZEROG_QUEUE": f"127.0.0.1:{queue_port}"}
    queue = ["beanstalkd", "-l", "127.0.0.1", "-p", str(queue_port), "-b", "/data"]
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("wb"))
        client = stack.enter_context(Client(f"http://127.0.0.1:{port}", retry_seconds=60))

        def start(image: str, *arguments: str) -> None:
            running = runner.running(images.name(image), *arguments, volume=folder, log=log, **env)
            stack.enter_context(running)

        start("beanstalkd", *queue)
        start("api", "zerog", "api", "--host", "127.0.0.1", "--port", str(port))
        start("example", "zerog", "worker", "greetings")
        wait_until(lambda: [t for t in client.types() if t["name"] == "Greet"], 60, "the type")

        result = client.result(client.submit("Greet", {"name": "World"}), timeout=60)

    assert result == {"greeting": "Hello, World!", "uid": 65532}


def test_images_are_built_once(images: Any) -> None:
    before = images.archive("api").stat()

    again = builder.ensure_images()

    assert again == images
    assert again.archive("api").stat().st_mtime_ns == before.st_mtime_ns


@pytest.fixture(autouse=True)
def _own_mask() -> Iterator[None]:
    """Files of the images' user are readable for the test, whatever the machine's mask."""
    before = os.umask(0o022)
    yield
    os.umask(before)
