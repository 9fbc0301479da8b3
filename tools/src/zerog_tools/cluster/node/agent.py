"""A node whose pods are processes of this machine: the part of a kubelet that matters to them.

It has the rights of its node and no more. It registers the node, keeps its lease, follows
the pods that are bound to it and runs each of them. Killed it takes its pods along, as a
machine that loses power; frozen it falls silent while its pods run on.

`python -m zerog_tools.cluster.node.agent --help`
"""

import argparse
import asyncio
import itertools
import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from zerog_tools.cluster.node.api import ApiError, NodeApi, Object
from zerog_tools.cluster.node.container import now
from zerog_tools.cluster.node.pod import Pod, Settings

_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
LEASE_SECONDS = 40


class Agent:
    """A node; its methods belong to one event loop."""

    def __init__(self, api: NodeApi, settings: Settings, capacity: int, heartbeat: float) -> None:
        self._api = api
        self._settings = settings
        self._capacity = capacity
        self._heartbeat = heartbeat
        self._pods: dict[str, tuple[Pod, asyncio.Task[None]]] = {}
        # Each pod has an address of its own, so that all may listen on the same port.
        subnet = sum(settings.node.encode()) % 200 + 10
        self._addresses = (
            f"127.{subnet}.{number // 250 % 250}.{number % 250 + 1}" for number in itertools.count()
        )

    async def run(self) -> None:
        """Be a node until cancelled."""
        await self._register()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat(), name="lease")
            group.create_task(self._follow(), name="pods")

    async def _register(self) -> None:
        name = self._settings.node
        labels = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
        }
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
        if await self._api.find(f"/api/v1/nodes/{name}") is None:
            await self._api.call("POST", "/api/v1/nodes", node)
        await self._tell_status()

    async def _tell_status(self) -> None:
        room = {"cpu": "64", "memory": "256Gi", "pods": str(self._capacity)}
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "the node agent is posting ready status",
            "lastHeartbeatTime": now(),
            "lastTransitionTime": now(),
        }
        status = {
            "conditions": [ready],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "capacity": room,
            "allocatable": room,
            "nodeInfo": {
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
                "kernelVersion": os.uname().release,
                "osImage": "node agent",
                "containerRuntimeVersion": "process://1",
                "kubeletVersion": "node-agent",
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": os.uname().machine,
            },
        }
        await self._api.patch_status(f"/api/v1/nodes/{self._settings.node}", {"status": status})

    async def _beat(self) -> None:
        """Renew the lease; tell the node's status again when it was taken for lost."""
        name = self._settings.node
        while True:
            lease = await self._api.find(f"{_LEASES}/{name}")
            spec = {
                "holderIdentity": name,
                "leaseDurationSeconds": LEASE_SECONDS,
                "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            }
            try:
                if lease is None:
                    made = {"metadata": {"name": name}, "spec": spec}
                    await self._api.call("POST", _LEASES, made)
                else:
                    await self._api.call("PUT", f"{_LEASES}/{name}", {**lease, "spec": spec})
            except ApiError as error:
                if error.code != 409:
                    raise
            node = await self._api.find(f"/api/v1/nodes/{name}") or {}
            if not _is_ready(node):
                await self._tell_status()
            await asyncio.sleep(self._heartbeat)

    async def _follow(self) -> None:
        selector = f"spec.nodeName={self._settings.node}"
        async with asyncio.TaskGroup() as group:
            async for item in self._api.follow("/api/v1/pods", selector):
                if isinstance(item, list):
                    there = {pod["metadata"]["uid"] for pod in item}
                    for uid in self._pods.keys() - there:
                        self._forget(uid)
                    for pod in item:
                        self._see(pod, group)
                elif item["type"] == "DELETED":
                    self._forget(item["object"]["metadata"]["uid"])
                elif item["type"] in ("ADDED", "MODIFIED"):
                    self._see(item["object"], group)

    def _see(self, found: Object, group: asyncio.TaskGroup) -> None:
        uid = found["metadata"]["uid"]
        if uid in self._pods:
            self._pods[uid][0].update(found)
            return
        pod = Pod(self._api, self._settings, found, next(self._addresses))
        self._pods[uid] = (pod, group.create_task(pod.run(), name=found["metadata"]["name"]))

    def _forget(self, uid: str) -> None:
        pod, task = self._pods.pop(uid, (None, None))
        if pod is not None and task is not None and not task.done():
            pod.vanish()


def _is_ready(node: Object) -> bool:
    conditions = node.get("status", {}).get("conditions", ())
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="zerog_tools.cluster.node.agent", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--node", required=True, metavar="NAME")
    parser.add_argument("--root", type=Path, required=True, help="folder of images, pods and logs")
    parser.add_argument("--capacity", type=int, default=110, help="of pods")
    parser.add_argument("--heartbeat-seconds", type=float, default=2.0)
    parser.add_argument("--back-off-seconds", type=float, default=10.0)
    return parser.parse_args()


async def main() -> int:
    """Be a node until SIGTERM or SIGINT, then take the pods along."""
    options = read_options()
    api = NodeApi(options.kubeconfig)
    config = json.loads(options.kubeconfig.read_text())
    server = urlsplit(config["clusters"][0]["cluster"]["server"])
    settings = Settings(
        options.node,
        options.root,
        options.back_off_seconds,
        server.hostname or "127.0.0.1",
        server.port or 443,
    )
    agent = Agent(api, settings, options.capacity, options.heartbeat_seconds)
    task = asyncio.create_task(agent.run(), name="node")
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        pass
    finally:
        await api.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
