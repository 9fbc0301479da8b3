"""A real operator under the chart's rights, with the chart's settings, makes restricted workers."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.beanstalkd import Beanstalkd

from zerog.model.names import tube_name
from zerog.queue import connect_queue
from zerog_tools.chart.helm import Object, render, run_helm, with_registry
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.ports import free_port
from zerog_tools.cluster.process import wait_until
from zerog_tools.repository import CHART, ROOT

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


@dataclass(frozen=True, slots=True)
class Installed:
    """The chart in a namespace, and its operator as a process of this machine."""

    plane: ControlPlane
    namespace: str
    log: Path

    def pods(self, role: str) -> list[Object]:
        """Return the pods of a role."""
        found = self.plane.kubectl(
            "get", "pods", "-n", self.namespace, "-l", f"zerog.dev/role={role}", "-o", "json"
        )
        return list(json.loads(found)["items"])

    def ready(self, pool: str) -> Object:
        """Return a pool's condition Ready, empty before the first."""
        found = json.loads(
            self.plane.kubectl("get", "zwp", pool, "-n", self.namespace, "-o", "json")
        )
        conditions = found.get("status", {}).get("conditions", [])
        return next((dict(item) for item in conditions if item["type"] == "Ready"), {})

    def apply(self, pool: Object) -> None:
        """Apply a pool."""
        self.plane.kubectl("apply", "-n", self.namespace, "-f", "-", stdin=yaml.safe_dump(pool))


@contextlib.contextmanager
def running(
    plane: ControlPlane, namespace: str, queue: str, folder: Path, **operator: Any
) -> Iterator[Installed]:
    """Install the chart with these values of the operator, and run that."""
    values = {"crds": {"install": False}, "operator": operator}
    kubeconfig = ["--namespace", namespace, "--kubeconfig", str(plane.kubeconfig_path)]
    run_helm(
        "install", "zerog", str(CHART), "--values", "-", *kubeconfig, stdin=with_registry(values)
    )
    env = settings_of(
        render(values, namespace=namespace),
        folder,
        ZEROG_QUEUE=queue,
        ZEROG_HOST="127.0.0.1",
        ZEROG_PORT=str(free_port()),
        # Other tests' pools in the same cluster are nobody's here.
        KUBECONFIG=str(plane.kubeconfig_of("zerog-operator", namespace)),
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ZEROG_")}
    path = folder / "operator.log"
    log = path.open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "zerog_operator", "run"],
        env={**clean, **env}, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield Installed(plane, namespace, path)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(DEADLINE_SECONDS)
        print(path.read_text()[-4000:])
        log.close()
        run_helm("uninstall", "zerog", *kubeconfig)
    assert code == 0


def read_pool() -> Object:
    """Return the first sample."""
    pool: Object = yaml.safe_load((ROOT / "manifests/samples/pool.yaml").read_text())
    return pool


@pytest.mark.parametrize("wide", [True, False])
def test_a_worker_of_a_sample_is_made_and_admitted(
    control_plane: ControlPlane, restricted: str, beanstalkd: Beanstalkd, tmp_path: Path, wide: bool
) -> None:
    control_plane.kubectl("label", "namespace", restricted, "zerog.dev/pools=allowed")
    pool = read_pool()
    asyncio.run(put_a_job(beanstalkd.address, pool["metadata"]["name"]))

    with running(
        control_plane, restricted, beanstalkd.address, tmp_path, clusterWide=wide, checkImages=False
    ) as installed:
        installed.apply(pool)
        wait_until(lambda: bool(installed.pods("worker")), DEADLINE_SECONDS, "a worker pod")
        (spec,) = [pod["spec"] for pod in installed.pods("worker")]

    env_of_worker = {item["name"]: item.get("value") for item in spec["containers"][0]["env"]}
    assert env_of_worker["ZEROG_STORE"] == "sqlite:////var/lib/zerog/zerog.db"
    assert spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert spec["automountServiceAccountToken"] is False
    # One that looks after all namespaces meets those of other tests as they end.
    lines = [line for line in installed.log.read_text().splitlines() if restricted in line]
    assert not [line for line in lines if "Forbidden" in line]


def test_what_the_policy_refuses_is_told_by_the_pool_in_its_words(
    control_plane: ControlPlane, namespace: str, beanstalkd: Beanstalkd, tmp_path: Path
) -> None:
    good, rough = read_pool(), read_pool()
    rough["metadata"]["name"] = "rough"
    host = {"name": "host", "hostPath": {"path": "/"}}
    rough["spec"]["template"]["spec"]["volumes"] = [host]

    with running(control_plane, namespace, beanstalkd.address, tmp_path) as installed:
        installed.apply(rough)
        installed.apply(good)
        wait_until(lambda: bool(installed.pods("describe")), DEADLINE_SECONDS, "the good one")
        wait_until(
            lambda: installed.ready("rough").get("reason") == "AdmissionDenied",
            DEADLINE_SECONDS,
            "the refusal is told",
        )
        message = installed.ready("rough")["message"]

    assert "a volume must not be a hostPath (rule hostPath of the chart's" in message
