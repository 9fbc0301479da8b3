"""What kind makes its nodes with: docker or podman, and what each must be told here.

kind itself takes a docker client without an engine for an engine. Debian's podman, on a machine
whose control groups are of version 1, gets a configuration and a storage of its own, so that
nobody's containers are touched; elsewhere an engine is used as it is. The network is our own.
"""

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zerog_tools.cluster.binaries import cache_folder
from zerog_tools.cluster.process import ClusterError

NETWORK = "zerog-kind"
NAMES = ("docker", "podman")
#: kind's own choice of an engine.
PROVIDER = "KIND_EXPERIMENTAL_PROVIDER"
LOOK_SECONDS = 60.0
RUN_SECONDS = 600.0
PROCESS_NUMBERS = Path("/proc/sys/kernel/pid_max")
RUNTIME_FOLDER = "/run/zerog-kind"
#: Where each of Debian's packages has what is needed of it.
PODMAN_PACKAGES = {
    "podman": "/usr/bin/podman",
    "conmon": "/usr/bin/conmon",
    "netavark": "/usr/lib/podman/netavark",
    "aardvark-dns": "/usr/lib/podman/aardvark-dns",
    "runc": "/usr/sbin/runc",
    "iptables": "/usr/sbin/iptables",
}
IMAGE_PACKAGES = {"mmdebstrap": "/usr/bin/mmdebstrap"}
RIGHTS = ("unshare", "--mount", "--net", "--pid", "--fork", "true")


class KindMissingError(Exception):
    """This machine cannot run kind; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Engine:
    """docker or podman, with the environment in which it is ours."""

    name: str
    own: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the engine's and of kind's commands."""
        chosen = {PROVIDER: self.name, f"KIND_EXPERIMENTAL_{self.name.upper()}_NETWORK": NETWORK}
        return {**os.environ, **self.own, **chosen}

    def run(self, *arguments: str, stdin: str | None = None, seconds: float = RUN_SECONDS) -> str:
        """Run a command of the engine and return what it printed. A `ClusterError` if it fails."""
        result = subprocess.run(
            [self.name, *arguments],
            env=self.environment, input=stdin or "", capture_output=True, text=True,
            timeout=seconds,
        )  # fmt: skip
        if result.returncode:
            raise ClusterError(f"{self.name} {' '.join(arguments)}: {result.stderr.strip()}")
        return result.stdout

    def has(self, kind: str, name: str) -> bool:
        """Return whether there is an image, a network or a container of this name."""
        try:
            self.run(kind, "inspect", name, seconds=LOOK_SECONDS)
        except ClusterError:
            return False
        return True

    def make_network(self) -> None:
        """Make the network of all our nodes. Idempotent."""
        if not self.has("network", NETWORK):
            self.run("network", "create", "--driver=bridge", NETWORK)

    def remove_network(self) -> None:
        """Remove the network unless nodes of another cluster are in it. Idempotent."""
        if self.has("network", NETWORK):
            subprocess.run(
                [self.name, "network", "rm", NETWORK],
                env=self.environment, capture_output=True, timeout=LOOK_SECONDS,
            )  # fmt: skip

    def find_gateway(self) -> str:
        """Return the address at which this machine is reached from the network."""
        (found,) = json.loads(self.run("network", "inspect", NETWORK))
        # podman writes its own fields small, docker's are in IPAM.
        subnets = found.get("subnets") or found["IPAM"]["Config"]
        gateways = [subnet.get("gateway") or subnet.get("Gateway", "") for subnet in subnets]
        return next(str(gateway) for gateway in gateways if "." in gateway)


def has_first_control_groups() -> bool:
    """Return whether this machine's control groups are of version 1."""
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()


def find_engine() -> Engine:
    """Return what kind can make nodes with: docker, else podman.

    Raises:
        KindMissingError: Neither answers; the message says why.
    """
    problems = []
    wanted = os.environ.get(PROVIDER)
    for name in (wanted,) if wanted else NAMES:
        if shutil.which(name) is None:
            problems.append(f"{name} is not on the PATH")
            continue
        own = _configure() if name == "podman" and has_first_control_groups() else {}
        engine = Engine(name, own)
        try:
            engine.run("info", seconds=LOOK_SECONDS)
        except (ClusterError, subprocess.TimeoutExpired) as error:
            problems.append(str(error))
        else:
            return engine
    raise KindMissingError(f"kind needs docker or podman: {'; '.join(problems)}")


def find_problem() -> str:
    """Return what keeps kind from running here, packages apart; empty if nothing does."""
    if not has_first_control_groups() and _find_engine() is not None:
        return ""
    if shutil.which("apt-get") is None:
        return "kind needs docker or podman; only on Debian and Ubuntu we can install one"
    if os.geteuid() != 0:
        return "kind needs docker or podman, or root to install podman: `sudo make cluster`"
    if subprocess.run(RIGHTS, capture_output=True, timeout=LOOK_SECONDS).returncode:
        return "kind needs the right to make namespaces, which a plain container does not have"
    return ""


def find_missing_packages() -> list[str]:
    """Return the Debian packages that kind lacks on this machine."""
    first = has_first_control_groups()
    engine = _find_engine()
    complete = engine is not None and (engine.name == "docker" or not first)
    needed = {**({} if complete else PODMAN_PACKAGES), **(IMAGE_PACKAGES if first else {})}
    return [package for package, path in needed.items() if not Path(path).exists()]


def _find_engine() -> Engine | None:
    try:
        return find_engine()
    except KindMissingError:
        return None


def _configure() -> dict[str, str]:
    """Prepare this machine for podman, and return the variables that name its configuration."""
    # kind shows it to nodes, and a kernel without modules has no such folder.
    Path("/lib/modules").mkdir(exist_ok=True)
    folder = cache_folder().with_name("kind")
    folder.mkdir(parents=True, exist_ok=True)
    configuration, storage = folder / "containers.conf", folder / "storage.conf"
    # podman lets itself have no more processes than the kernel has numbers for them.
    processes = min(_limit(resource.RLIMIT_NPROC), int(PROCESS_NUMBERS.read_text()))
    configuration.write_text(
        build_podman_config(_limit(resource.RLIMIT_NOFILE), processes, folder / "networks")
    )
    storage.write_text(build_storage_config(folder / "storage"))
    return {
        "CONTAINERS_CONF": str(configuration),
        "CONTAINERS_STORAGE_CONF": str(storage),
    }


def _limit(which: int) -> int:
    return resource.getrlimit(which)[1]


def build_podman_config(files: int, processes: int, networks: Path) -> str:
    """Return podman's configuration: no limits above this machine's own, nothing of systemd's."""
    return f"""[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
pids_limit = 0
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
# crun refuses a machine that has both versions of control groups.
runtime = "runc"
[network]
network_backend = "netavark"
network_config_dir = "{networks}"
"""


def build_storage_config(folder: Path) -> str:
    """Return podman's configuration of a storage in a folder."""
    return f"""[storage]
driver = "overlay"
graphroot = "{folder}"
runroot = "{RUNTIME_FOLDER}"
"""
