"""A real operator under the chart's rights, with the chart's settings, makes restricted workers."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.beanstalkd import Beanstalkd
from tests.chart.helm import CHART, ROOT, Object, render, run_helm
from tests.cluster.control_plane import ControlPlane
from tests.cluster.process import wait_until
from tests.ports import free_port

from zerog.model.names import tube_name
from zerog.queue import connect_queue

#: Several programs, one after the other: more than the usual limit on a busy machine.
pytestmark = pytest.mark.timeout(300)
DEADLINE_SECONDS = 60.0


@pytest.fixture
def beanstalkd() -> Iterator[Beanstalkd]:
    server = Beanstalkd()
    server.start()
    yield server
    server.kill()


def settings_of(rendered: Any, folder: Path, **replaced: str) -> dict[str, str]:
    """The environment of the chart's operator, with what is elsewhere here put in its place."""
    operator = next(item for item in rendered.of_kind("Deployment")
                    if item["metadata"]["name"].endswith("-operator"))  # fmt: skip
    config = next(item for item in rendered.of_kind("ConfigMap")
                  if item["metadata"]["name"].endswith("-operator"))  # fmt: skip
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    given = {item["name"]: item["value"] for item in container["env"]}
    file = folder / "worker-defaults.json"
    file.write_text(config["data"]["worker-defaults.json"])
    return {**given, "ZEROG_WORKER_DEFAULTS_FILE": str(file), **replaced}


async def put_a_job(address: str, queue: str) -> None:
    connection = await connect_queue(address)
    try:
        await connection.put(tube_name(queue), "0" * 36)
    finally:
        await connection.close()


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_worker_of_a_sample_is_made_and_admitted(
    control_plane: ControlPlane,
    restricted: str,
    beanstalkd: Beanstalkd,
    tmp_path: Path,
    everywhere: bool,
) -> None:
    only: Object = {} if everywhere else {"namespaces": [restricted]}
    values = {"crds": {"install": False}, "operator": {**only, "checkImages": False}}
    run_helm(
        "install", "zerog", str(CHART), "--namespace", restricted, "--values", "-",
        "--kubeconfig", str(control_plane.kubeconfig_path), stdin=json.dumps(values),
    )  # fmt: skip
    env = settings_of(
        render(values, namespace=restricted),
        tmp_path,
        ZEROG_QUEUE=beanstalkd.address,
        ZEROG_HOST="127.0.0.1",
        ZEROG_PORT=str(free_port()),
        # Other tests' pools in the same cluster are nobody's here.
        KUBECONFIG=str(control_plane.kubeconfig_of("zerog-operator", restricted)),
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ZEROG_")}
    pool = yaml.safe_load((ROOT / "manifests/samples/pool.yaml").read_text())
    asyncio.run(put_a_job(beanstalkd.address, pool["metadata"]["name"]))
    log = (tmp_path / "operator.log").open("wb")
    operator = subprocess.Popen(
        [sys.executable, "-m", "zerog_operator", "run"],
        env={**clean, **env}, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip

    def workers() -> list[Object]:
        found = control_plane.kubectl(
            "get", "pods", "-n", restricted, "-l", "zerog.dev/role=worker", "-o", "json"
        )
        return list(json.loads(found)["items"])

    try:
        control_plane.kubectl("apply", "-n", restricted, "-f", "-", stdin=yaml.safe_dump(pool))
        wait_until(lambda: bool(workers()), DEADLINE_SECONDS, "a worker pod")
        (spec,) = [pod["spec"] for pod in workers()]
    finally:
        operator.send_signal(signal.SIGTERM)
        code = operator.wait(DEADLINE_SECONDS)
        print((tmp_path / "operator.log").read_text()[-4000:])
        log.close()
        run_helm("uninstall", "zerog", "--namespace", restricted,
                 "--kubeconfig", str(control_plane.kubeconfig_path))  # fmt: skip

    assert code == 0
    env_of_worker = {item["name"]: item.get("value") for item in spec["containers"][0]["env"]}
    assert env_of_worker["ZEROG_STORE"] == "sqlite:////var/lib/zerog/zerog.db"
    assert spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert "Forbidden" not in (tmp_path / "operator.log").read_text()
