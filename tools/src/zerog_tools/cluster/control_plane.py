"""A real Kubernetes control plane as plain processes: etcd, API server, controllers.

No root, no container, no node: objects, RBAC, admission, CRDs, garbage collection and
service account tokens are the real thing, while pods stay Pending until something plays
a node (`fake_nodes`, `node_agent`). What that does not prove stands in
`docs/explanation/test-layers.md`.

Each cluster has a folder, free ports and random tokens of its own, so several live side
by side. Create it on the main thread: its processes end with the thread that started
them.
"""

import contextlib
import json
import os
import shutil
import ssl
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from zerog_tools.cluster import commands, credentials
from zerog_tools.cluster.binaries import CONTROL_PLANE, Say, ensure_binaries, print_progress
from zerog_tools.cluster.forward import relay
from zerog_tools.cluster.interface import KUBECTL_SECONDS, Cluster, run_kubectl
from zerog_tools.cluster.ports import free_port
from zerog_tools.cluster.process import (
    ClusterError,
    ServerProcess,
    kill_marked,
    wait_until,
)

#: For what usually takes a few seconds; the machine may be busy with other clusters.
START_SECONDS = 90.0
#: How long one call of `client()` may take.
CALL_SECONDS = 30.0
#: Go's servers may let garbage grow so far: a fifth less processor time, a little more memory.
GARBAGE_PERCENT = "400"
API_SERVER = "kube-apiserver"
CONTROLLERS = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
#: Nodes that may join. The API server reads its token file once, so they are named beforehand.
NODE_NAMES = tuple(f"node-{number}" for number in range(1, 9))


class ControlPlane(Cluster):
    """A cluster of etcd, kube-apiserver and kube-controller-manager, and a scheduler if asked."""

    def __init__(
        self,
        name: str = "zerog",
        *,
        scheduler: bool = False,
        api_arguments: Sequence[str] = (),
        controller_arguments: Sequence[str] = (),
        say: Say = print_progress,
    ) -> None:
        """Describe a cluster; `create` starts it.

        Args:
            scheduler: Bind pods to nodes; without it a pod names its node itself.
            api_arguments: Further arguments of the API server.
            controller_arguments: Further arguments of the controller manager.
            say: Where the progress of a build is told.
        """
        self.name = name
        #: Its servers by name: a test may stop, kill, freeze and start them.
        self.processes: dict[str, ServerProcess] = {}
        self._scheduler = scheduler
        self._api_arguments = api_arguments
        self._controller_arguments = controller_arguments
        self._say = say
        self._binaries: dict[str, Path] = {}
        self._tokens: dict[credentials.Identity, str] = {}
        self._layout: commands.Layout | None = None

    @property
    def layout(self) -> commands.Layout:
        """Where its files and ports are."""
        if self._layout is None:
            raise ClusterError(f"cluster {self.name} does not run")
        return self._layout

    @property
    def kubeconfig_path(self) -> Path:
        """A kubeconfig with all rights."""
        return self.layout.kubeconfig("admin")

    @property
    def server(self) -> str:
        """The address of the API server."""
        return self.layout.server

    @property
    def token(self) -> str:
        """A token with all rights."""
        return self._tokens[credentials.ADMIN]

    def create(self) -> None:
        """Start it and return once pods can be made in it. Idempotent.

        Raises:
            ClusterError: A part does not start; the message ends with its log.
            GoMissingError, BuildError: Its programs are not built and cannot be.
        """
        if self._layout is not None:
            return
        names = [*CONTROL_PLANE, *([SCHEDULER] if self._scheduler else [])]
        self._binaries = ensure_binaries(names, self._say)
        folder = Path(tempfile.mkdtemp(prefix=f"cluster-{self.name}-"))
        ports = [free_port() for _ in range(5)]
        self._layout = commands.Layout(folder, *ports)
        try:
            self._write_credentials()
            self._start_servers()
        except BaseException:
            self.delete(keep_logs=True)
            raise

    def delete(self, *, keep_logs: bool = False) -> None:
        """End it and remove its folder; it is told where kept logs are. Idempotent."""
        for process in reversed(self.processes.values()):
            # Nothing in etcd is needed any more, so nobody has to end in good order.
            process.kill()
        self.processes = {}
        if self._layout is None:
            return
        folder = self._layout.folder
        kill_marked(f"{folder}/")
        self._layout = None
        if keep_logs:
            shutil.rmtree(folder / "etcd", ignore_errors=True)
            self._say(f"the logs of cluster {self.name} are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def kubectl(
        self, *arguments: str, stdin: str | None = None, timeout: float = KUBECTL_SECONDS
    ) -> str:
        """Run kubectl with all rights and return what it printed.

        Raises:
            KubectlError: It failed; the message is its own.
        """
        binary = self._binaries["kubectl"]
        return run_kubectl(binary, self.kubeconfig_path, arguments, stdin, timeout)

    def port_forward(
        self, target: str, remote_port: int, *arguments: str, local_port: int | None = None
    ) -> contextlib.AbstractContextManager[int]:
        """Return a context in which a local port, its value, leads to `pod/x` or `service/x`.

        Further arguments are kubectl's, e.g. `--namespace`, `x`. The pod must be one of a node
        agent's, for nobody else's pods have processes.
        """
        found = json.loads(self.kubectl("get", target, "--output=json", *arguments))
        if found["kind"] == "Service":
            labels = ",".join(f"{key}={value}" for key, value in found["spec"]["selector"].items())
            pods = json.loads(
                self.kubectl("get", "pods", f"--selector={labels}", "--output=json", *arguments)
            )["items"]
            remote_port = _find_target_port(found, remote_port)
        else:
            pods = [found]
        addresses = [address for pod in pods if (address := pod["status"].get("podIP"))]
        if not addresses:
            raise ClusterError(f"no pod with an address behind {target}")
        return relay((addresses[0], remote_port), local_port)

    def client(self, token: str | None = None) -> httpx.Client:
        """Return an HTTP client of the API, with all rights unless a token is given."""
        return httpx.Client(
            base_url=self.server,
            verify=ssl.create_default_context(cafile=str(self.layout.authority)),
            headers={"Authorization": f"Bearer {token or self.token}"},
            timeout=CALL_SECONDS,
            # A proxy of the machine has no business between two local processes.
            trust_env=False,
        )

    def create_namespace(self, name: str) -> None:
        """Make a namespace, and return once pods can be made in it."""
        with self.client() as client:
            client.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
            path = f"/api/v1/namespaces/{name}/serviceaccounts/default"
            wait_until(
                lambda: client.get(path).is_success, START_SECONDS, f"{name} has a service account"
            )

    def delete_namespace(self, name: str) -> None:
        """Let a namespace begin to end. Idempotent."""
        with self.client() as client:
            client.delete(f"/api/v1/namespaces/{name}")

    def kubeconfig_of(self, service_account: str, namespace: str = "default") -> Path:
        """Return a new kubeconfig with a service account's rights and a real token of it."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        with self.client() as client:
            answer = client.post(path, json={"spec": {}}).raise_for_status()
        token = str(answer.json()["status"]["token"])
        return self.write_kubeconfig(f"{namespace}-{service_account}", token)

    def write_kubeconfig(self, user: str, token: str) -> Path:
        """Write a kubeconfig of the cluster for a token and return its path."""
        path = self.layout.kubeconfig(user)
        credentials.write_kubeconfig(
            path, server=self.server, authority=self.layout.authority, user=user, token=token
        )
        return path

    def kubeconfig_of_node(self, node: str) -> Path:
        """Return a kubeconfig with the rights of one of `NODE_NAMES`, and no more."""
        return self.write_kubeconfig(node, self._tokens[credentials.build_node_identity(node)])

    def add_server(
        self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None
    ) -> ServerProcess:
        """Return a server that ends with the cluster; it does not run yet."""
        process = ServerProcess(name, command, self.layout.folder / f"{name}.log", env)
        self.processes[name] = process
        return process

    def end_server(self, name: str) -> None:
        """End a server and forget it. Idempotent."""
        if (process := self.processes.pop(name, None)) is not None:
            process.kill()

    def start_server(self, name: str) -> None:
        """Start a server that a test has ended, and return once it is ready."""
        self.processes[name].start()
        if name == API_SERVER:
            self._wait_for("the API server is ready", self._is_ready)

    def _write_credentials(self) -> None:
        users = {
            "admin": credentials.ADMIN,
            "controller-manager": credentials.CONTROLLER_MANAGER,
            "scheduler": credentials.SCHEDULER,
            **{name: credentials.build_node_identity(name) for name in NODE_NAMES},
        }
        self._tokens = {identity: credentials.make_token() for identity in users.values()}
        credentials.write_tokens(
            self.layout.tokens, {token: who for who, token in self._tokens.items()}
        )
        credentials.make_signing_key(self.layout.signing_key)
        for name in ("admin", "controller-manager", "scheduler"):
            self.write_kubeconfig(name, self._tokens[users[name]])

    def _start_servers(self) -> None:
        layout = self.layout
        self._start("etcd", commands.build_etcd_command(self._binaries["etcd"], layout))
        api = commands.build_api_command(self._binaries[API_SERVER], layout, self._api_arguments)
        self._start(API_SERVER, api)
        self._wait_for("the API server is ready", self._is_ready)
        controllers = commands.build_controllers_command(
            self._binaries[CONTROLLERS], layout, self._controller_arguments
        )
        self._start(CONTROLLERS, controllers)
        if self._scheduler:
            scheduler = commands.build_scheduler_command(self._binaries[SCHEDULER], layout)
            self._start(SCHEDULER, scheduler)
        self._wait_for("the controllers make service accounts", self._has_service_account)

    def _start(self, name: str, command: Sequence[str]) -> None:
        env = {**os.environ, "GOGC": GARBAGE_PERCENT}
        self.add_server(name, command, env).start()

    def _wait_for(self, what: str, look: Callable[[], bool]) -> None:
        def look_while_all_run() -> bool:
            for process in self.processes.values():
                process.check()
            return bool(look())

        wait_until(look_while_all_run, START_SECONDS, what)

    def _is_ready(self) -> bool:
        return self._answers("/readyz")

    def _has_service_account(self) -> bool:
        # Without it admission refuses every pod of the namespace.
        return self._answers("/api/v1/namespaces/default/serviceaccounts/default")

    def _answers(self, path: str) -> bool:
        # Until the certificate is written there is nothing to trust.
        with contextlib.suppress(httpx.TransportError, OSError), self.client() as client:
            return client.get(path).is_success
        return False


def _find_target_port(service: dict[str, Any], port: int) -> int:
    for entry in service["spec"]["ports"]:
        if entry["port"] == port and isinstance(entry.get("targetPort", port), int):
            return int(entry.get("targetPort", port))
    raise ClusterError(f"service {service['metadata']['name']} has no port {port} with a number")
