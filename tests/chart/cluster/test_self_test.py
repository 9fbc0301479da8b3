"""`helm test` for real: its pod's command against an API and a worker with the chart's settings.

API and self test are processes of this machine with the environments that the chart gives to
their containers, beside a plain worker; accounts, tokens, roles and the API server are real. What
is elsewhere here (addresses, folders) is put in its place.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.beanstalkd import Beanstalkd

from zerog.privatefile import write_private
from zerog_tools.chart.helm import Object, Rendered, render
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.ports import free_port

#: Several programs, one after the other: more than the usual limit on a busy machine.
pytestmark = pytest.mark.timeout(300)
SECONDS = 80.0
ACCOUNTS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


class Machine:
    """Runs the chart's containers as processes."""

    def __init__(self, plane: ControlPlane, namespace: str, folder: Path) -> None:
        self.plane, self.namespace, self.folder = plane, namespace, folder
        self.rendered: Rendered = render(namespace=namespace)
        self.beanstalkd = Beanstalkd()
        self.beanstalkd.start()
        self.processes: list[subprocess.Popen[bytes]] = []
        self.port = free_port()
        clean = {name: v for name, v in os.environ.items() if not name.startswith("ZEROG_")}
        scripts = Path(sys.executable).parent
        self.environ = {**clean, "PATH": f"{scripts}:{clean['PATH']}"}

    def environment(self, container: Object, **here: str) -> dict[str, str]:
        """A container's environment; `here` is what differs on this machine."""
        given = {item["name"]: item["value"] for item in container.get("env", [])}
        assert set(here) - {"ZEROG_KUBERNETES_URL", "ZEROG_SERVICE_ACCOUNT_PATH"} <= set(given)
        return {**self.environ, **given, **here}

    def make_accounts(self) -> None:
        """Make the chart's accounts and roles, those of the self test with them."""
        found = [item for item in self.rendered.objects if item["kind"] in ACCOUNTS]
        self.plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(found))

    def mount_account(self, name: str, *audience: str) -> Path:
        """Make a folder like the one in which a pod finds its account."""
        folder = self.folder / name
        folder.mkdir()
        audiences = [f"--audience={one}" for one in audience]
        token = self.plane.kubectl("create", "token", name, "-n", self.namespace, *audiences)
        write_private(folder / "token", token.strip())
        (folder / "namespace").write_text(self.namespace)
        (folder / "ca.crt").write_bytes(self.plane.layout.authority.read_bytes())
        return folder

    def start(self, command: list[str], env: dict[str, str], log: str) -> None:
        with (self.folder / log).open("wb") as file:
            self.processes.append(
                subprocess.Popen(
                    command, env=env, stdout=file, stderr=subprocess.STDOUT, process_group=0
                )
            )

    def start_api(self) -> None:
        deployment = self.rendered.find("Deployment", "zerog-api")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        env = self.environment(
            container,
            ZEROG_PORT=str(self.port),
            ZEROG_QUEUE=self.beanstalkd.address,
            ZEROG_STORE=self.store,
            ZEROG_KUBERNETES_URL=self.plane.server,
            ZEROG_SERVICE_ACCOUNT_PATH=str(self.mount_account("zerog-api")),
        )
        # It listens where others could reach it, which is what its authentication is for.
        self.start(container["command"], {**env, "ZEROG_HOST": "127.0.0.1"}, "api.log")

    def start_worker(self) -> None:
        env = {**self.environ, "ZEROG_QUEUE": self.beanstalkd.address, "ZEROG_STORE": self.store}
        pool = self.rendered.find("ZeroGWorkerPool", "zerog-selftest")
        self.start(["zerog", "worker", *pool["spec"]["jobs"]], env, "worker.log")

    def run_as(self, account: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command, or that of the self test's pod, with an account's token as that has it."""
        spec = self.rendered.find("Pod", "zerog-selftest")["spec"]
        (container,) = spec["containers"]
        (volume,) = (item for item in spec["volumes"] if item["name"] == "token")
        (source,) = volume["projected"]["sources"]
        audience = source["serviceAccountToken"]["audience"]
        env = self.environment(
            container,
            ZEROG_URL=f"http://127.0.0.1:{self.port}",
            ZEROG_TOKEN_FILE=str(self.mount_account(account, audience) / "token"),
        )
        return subprocess.run(
            command or container["command"], env=env, capture_output=True, text=True,
            timeout=SECONDS,
        )  # fmt: skip

    @property
    def store(self) -> str:
        return f"sqlite:///{self.folder / 'zerog.db'}"

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(SECONDS)
        self.beanstalkd.kill()
        found = [item for item in self.rendered.objects if item["kind"].startswith("ClusterRole")]
        self.plane.kubectl("delete", "--wait=false", "-f", "-", stdin=yaml.safe_dump_all(found))
        for log in sorted(self.folder.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}")


@pytest.fixture
def machine(control_plane: ControlPlane, restricted: str, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(control_plane, restricted, tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_the_self_test_gets_its_result_and_others_get_nothing(machine: Machine) -> None:
    machine.make_accounts()
    machine.start_api()
    machine.start_worker()

    passed = machine.run_as("zerog-selftest")
    # The operator's account is a good one and may do nothing with jobs.
    refused = machine.run_as("zerog-operator", "zerog", "run", "SelfTest")

    assert passed.returncode == 0, passed.stderr
    assert "host" in passed.stdout
    assert refused.returncode != 0
    assert "may not create jobs" in refused.stderr
