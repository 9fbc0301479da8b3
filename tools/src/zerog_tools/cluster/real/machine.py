"""A machine of its own on this machine: own network, mounts and processes, nothing else.

A node runs in three Linux namespaces, so that its interfaces, firewall rules, mounts and
processes are gone with the end of one process, its init. Machines of one cluster are plugged
into a bridge of this machine, the `Network`, where the control plane listens.

Needs root. Only the control groups live outside; `real.control_groups` looks after them.
"""

import ipaddress
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from zerog_tools.cluster.process import ClusterError, ServerProcess, wait_until

#: Networks of clusters are /24 out of this; it is nobody's by default.
NETWORKS = ipaddress.ip_network("10.231.0.0/16")
#: Pods of the n-th machine are in 10.244.n.0/24.
PODS = "10.244.{number}.0/24"
START_SECONDS = 20.0
COMMAND_SECONDS = 30.0
#: Init ignores the ends of its children, so the kernel reaps every orphan.
INIT = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True: signal.pause()"


def run(*command: str) -> str:
    """Run a command of the system and return what it printed.

    Raises:
        ClusterError: It failed; the message is its own.
    """
    result = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS)
    if result.returncode:
        raise ClusterError(f"{' '.join(command)}: {result.stderr.strip()}")
    return result.stdout


class Network:
    """A bridge on this machine that the machines of one cluster are plugged into."""

    def __init__(self) -> None:
        taken = {
            ipaddress.ip_network(f"{address['local']}/24", strict=False)
            for link in json.loads(run("ip", "-json", "-4", "address"))
            for address in link["addr_info"]
        }
        free = [net for net in NETWORKS.subnets(new_prefix=24) if net not in taken]
        self._subnet = random.SystemRandom().choice(free)
        self.name = f"zg{int(self._subnet.network_address) >> 8 & 0xFF}"
        run("ip", "link", "add", self.name, "type", "bridge")
        run("ip", "address", "add", f"{self.address}/24", "dev", self.name)
        run("ip", "link", "set", self.name, "up")

    @property
    def address(self) -> str:
        """The address of this machine in it."""
        return str(self._subnet[1])

    def address_of(self, number: int) -> str:
        """Return the address of the n-th machine, from 1."""
        return str(self._subnet[10 + number])

    def delete(self) -> None:
        """Remove it. Idempotent."""
        subprocess.run(
            ["ip", "link", "delete", self.name], capture_output=True, timeout=COMMAND_SECONDS
        )


class Machine:
    """Namespaces in which the programs of a node run."""

    def __init__(self, network: Network, number: int, folder: Path) -> None:
        """Describe the n-th machine, from 1; its state is kept in a folder."""
        self.number = number
        self.name = f"node-{number}"
        self.folder = folder
        self.address = network.address_of(number)
        self.pods = PODS.format(number=number)
        self._network = network
        folder.mkdir(parents=True, exist_ok=True)
        unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"]
        self._init = ServerProcess(
            f"{self.name}-init",
            [*unshare, "--mount-proc", sys.executable, "-S", "-c", INIT],
            folder / "init.log",
        )

    def start(self, machines: int) -> None:
        """Start it, with routes to the pods of as many machines as the cluster has."""
        self._init.start()
        link = f"{self._network.name}n{self.number}"
        run("ip", "link", "add", link, "type", "veth", "peer", "eth0", "netns", str(self._pid()))
        run("ip", "link", "set", link, "master", self._network.name, "up")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ip", "route", "add", "default", "via", self._network.address)
        for number in range(1, machines + 1):
            if number != self.number:
                there = self._network.address_of(number)
                self.run("ip", "route", "add", PODS.format(number=number), "via", there)
        self.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.run("mount", "--make-rshared", "/")
        self.run("mount", "-t", "tmpfs", "tmpfs", "/run")

    def bind(self, name: str, path: str) -> None:
        """Show a folder of the machine's state at a path that programs insist on."""
        source = self.folder / name
        source.mkdir(parents=True, exist_ok=True)
        Path(path).mkdir(parents=True, exist_ok=True)
        self.run("mount", "--bind", str(source), path)

    def command(self, *command: str) -> list[str]:
        """Return the command that runs a command inside."""
        return ["nsenter", "--target", str(self._pid()), "--net", "--mount", "--pid", *command]

    def run(self, *command: str) -> str:
        """Run a command inside and return what it printed. A `ClusterError` if it failed."""
        return run(*self.command(*command))

    def server(self, name: str, command: Sequence[str]) -> ServerProcess:
        """Return a server that will run inside."""
        return ServerProcess(
            f"{self.name}-{name}", self.command(*command), self.folder / f"{name}.log"
        )

    def kill(self) -> None:
        """Cut its power: everything in it ends. Idempotent."""
        self._init.kill()

    def _pid(self) -> int:
        """Return the process that is 1 inside."""

        def look() -> int | None:
            self._init.check()
            found = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text()
            if not found.split():
                return None
            pid = int(found.split()[0])
            # Until it has changed its namespaces it must not be entered.
            inside = os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid")
            return pid if inside else None

        return wait_until(look, START_SECONDS, f"{self.name} has started")
