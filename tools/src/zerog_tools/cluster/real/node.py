"""A real node: containerd, kubelet and kube-proxy on a `Machine`."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from zerog_tools.cluster.process import ServerProcess, wait_until
from zerog_tools.cluster.real import configuration, control_groups
from zerog_tools.cluster.real.machine import Machine

START_SECONDS = 120.0
#: An archive of a few hundred megabytes is unpacked on a busy machine.
IMPORT_SECONDS = 180.0
#: Programs of Debian's packages, and the package of each.
PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "nsenter": "util-linux",
    "busybox": "busybox-static",
}
CNI_PLUGINS = Path("/usr/lib/cni/bridge")
#: Folders that the kubelet or containerd insist on, and where each is kept.
FOLDERS = {
    "kubelet": "/var/lib/kubelet",
    "containerd": "/var/lib/containerd",
    "cni": "/var/lib/cni",
    "pods": "/var/log/pods",
    "containers": "/var/log/containers",
}


def find_missing_packages() -> list[str]:
    """Return the Debian packages that a node lacks on this machine."""
    missing = {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    if not CNI_PLUGINS.exists():
        missing.add("containernetworking-plugins")
    return sorted(missing)


class Node:
    """A node of a real cluster; a test may freeze it, cut its power and start it again."""

    def __init__(
        self,
        machine: Machine,
        binaries: Mapping[str, Path],
        *,
        kubeconfig: Path,
        proxy_kubeconfig: Path,
        authority: Path,
        dns: str,
        pause_archive: Path,
    ) -> None:
        self.name = machine.name
        self.machine = machine
        self.processes: dict[str, ServerProcess] = {}
        self._binaries = binaries
        self._kubeconfig = kubeconfig
        self._proxy_kubeconfig = proxy_kubeconfig
        self._authority = authority
        self._dns = dns
        self._pause_archive = pause_archive
        self._group = f"zerog-{machine.folder.parent.name}-{machine.name}"

    def start(self, machines: int) -> None:
        """Start it; that it is ready shows in the cluster."""
        machine = self.machine
        machine.start(machines)
        for name, path in FOLDERS.items():
            machine.bind(name, path)
        control_groups.create(self._group)
        self._write_configuration()
        self._start("containerd", "containerd", "--config", "/run/zerog/containerd.toml")
        wait_until(self._has_containerd, START_SECONDS, f"containerd of {self.name} answers")
        self.load_archive(self._pause_archive)
        self._start(
            "kubelet", str(self._binaries["kubelet"]), "--config=/run/zerog/kubelet.json",
            f"--kubeconfig={self._kubeconfig}", f"--hostname-override={self.name}",
            f"--node-ip={machine.address}", "--v=2",
        )  # fmt: skip
        self._start(
            "kube-proxy", str(self._binaries["kube-proxy"]), "--config=/run/zerog/proxy.json"
        )

    def load_archive(self, path: Path) -> None:
        """Give it the images of an archive."""
        command = self.machine.command(
            "ctr", f"--address={configuration.CONTAINERD_SOCKET}", "--namespace=k8s.io",
            "images", "import", "--digests=false", str(path),
        )  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=IMPORT_SECONDS)

    def kill(self) -> None:
        """Cut its power. Idempotent."""
        self.machine.kill()
        for process in self.processes.values():
            process.kill()
        control_groups.remove(self._group)

    def check(self) -> None:
        """Raise a `ClusterError` with a log's end if one of its programs has ended."""
        for process in self.processes.values():
            process.check()

    def _start(self, name: str, *command: str) -> None:
        self.processes[name] = self.machine.server(name, command)
        self.processes[name].start()

    def _has_containerd(self) -> bool:
        self.check()
        command = self.machine.command(
            "ctr", f"--address={configuration.CONTAINERD_SOCKET}", "version"
        )
        return subprocess.run(command, capture_output=True, timeout=START_SECONDS).returncode == 0

    def _write_configuration(self) -> None:
        machine = self.machine
        files = {
            "zerog/containerd.toml": configuration.build_containerd_config("/var/lib/containerd"),
            "zerog/kubelet.json": configuration.build_kubelet_config(
                authority=str(self._authority), dns=self._dns, control_group=f"/{self._group}"
            ),
            "zerog/proxy.json": configuration.build_proxy_config(
                kubeconfig=str(self._proxy_kubeconfig), node=self.name
            ),
            "cni/10-pods.conflist": configuration.build_cni_config(machine.pods),
            "resolv.conf": "",
        }
        # What is on the machine's own /run cannot be written from outside; `etc` is shown there.
        for path, text in files.items():
            file = machine.folder / "etc" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        machine.run("cp", "-r", f"{machine.folder}/etc/.", "/run")


if __name__ == "__main__":
    print(*find_missing_packages())
