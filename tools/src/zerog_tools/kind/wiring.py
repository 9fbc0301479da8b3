"""What a cluster lacks when kind has made it: names, a network of pods, and volumes.

kind's own image brings programs for the last two that run in the cluster. A cluster of tests has
the same nodes from its first to its last minute, so routes and folders that are made once do too.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

PODS = "10.244.0.0/16"
NETWORK_FILE = "/etc/cni/net.d/10-pods.conflist"
VOLUMES_FOLDER = "/var/local/volumes"
STORAGE_CLASS = "standard"
#: Volumes of each node, and how large each says that it is.
VOLUMES = 6
VOLUME_SIZE = "10Gi"


@dataclass(frozen=True, slots=True)
class Member:
    """A node as the others reach it, and the range of its pods' addresses."""

    name: str
    address: str
    pods: str


def build_names() -> dict[str, Any]:
    """Return the configuration of the name server: it knows the cluster's names and asks nobody."""
    text = """.:53 {
  errors
  health
  ready
  cache 5
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    ttl 5
  }
}
"""
    metadata = {"name": "coredns", "namespace": "kube-system"}
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"Corefile": text},
    }  # fmt: skip


def read_members(nodes: Iterable[dict[str, Any]]) -> list[Member]:
    """Return the members that a list of nodes describes, once each has a range."""
    found = []
    for node in nodes:
        addresses = {item["type"]: item["address"] for item in node["status"]["addresses"]}
        pods = node["spec"].get("podCIDR")
        if pods is None:
            return []
        found.append(Member(node["metadata"]["name"], addresses["InternalIP"], pods))
    return found


def build_script(member: Member, members: Sequence[Member]) -> str:
    """Return the shell commands that give a node its network and the folders of its volumes."""
    routes = [
        f"ip route replace {other.pods} via {other.address}" for other in members if other != member
    ]
    # To a node or this machine a pod has its node's address; between pods each has its own.
    rule = f"POSTROUTING -s {member.pods} ! -d {PODS} -j MASQUERADE"
    folders = [f"mkdir -p -m 0777 {path}" for path in _volume_paths()]
    lines = [
        "set -eu",
        *routes,
        f"iptables -t nat -A {rule}",
        *folders,
        f"mkdir -p {NETWORK_FILE.rpartition('/')[0]}",
        # The kubelet calls its node ready as soon as the file is there.
        f"cat >{NETWORK_FILE} <<'END'",
        json.dumps(_build_network(member.pods)),
        "END",
    ]
    return "\n".join(lines) + "\n"


def _build_network(pods: str) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": pods}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": "/run/cni-addresses",
    }
    link = {"type": "ptp", "ipMasq": False, "ipam": addresses}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [link, ports]}


def build_volumes(members: Iterable[Member]) -> dict[str, Any]:
    """Return a list of volumes, each a folder of its node, bound when a pod wants one."""
    items = [
        _build_volume(f"{member.name}-{number}", path, member.name)
        for member in members
        for number, path in enumerate(_volume_paths())
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _volume_paths() -> list[str]:
    return [f"{VOLUMES_FOLDER}/{number}" for number in range(VOLUMES)]


def _build_volume(name: str, path: str, node: str) -> dict[str, Any]:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": VOLUME_SIZE},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "local": {"path": path},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
