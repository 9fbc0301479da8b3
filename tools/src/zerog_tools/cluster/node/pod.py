"""One pod of a node: its containers from its binding to its removal, and what is told of them.

The API server's object says what shall be, this module does it and writes the status. A
pod that is deleted there is removed only after its last process has ended.
"""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from zerog_tools.cluster.node.api import ApiError, NodeApi, Object
from zerog_tools.cluster.node.container import Container, ImageError, Launch, Rules, now
from zerog_tools.cluster.node.environment import (
    build_path_map,
    build_variables,
    expand,
    fetch_materials,
    make_volumes,
    replace_paths,
)
from zerog_tools.cluster.node.image import load_image

PREFIX = "node.zerog.dev"
#: A new value of it kills the first container as the kernel does when memory is short.
OOM_ANNOTATION = f"{PREFIX}/oom-kill"
#: Its value is the message with which the node throws the pod out.
EVICT_ANNOTATION = f"{PREFIX}/evict"
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What all pods of a node have in common."""

    node: str
    root: Path
    back_off_seconds: float
    #: Of the API server, for clients inside of pods.
    api_host: str
    api_port: int

    @property
    def images(self) -> Path:
        """The folder of the node's images."""
        return self.root / "images"


class Pod:
    """A pod on this node; its methods belong to one event loop."""

    def __init__(self, api: NodeApi, settings: Settings, pod: Object, address: str) -> None:
        self.object = pod
        self._api = api
        self._settings = settings
        self._address = address
        metadata, spec = pod["metadata"], pod["spec"]
        self._path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        name = f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}"
        self._folder = settings.root / "pods" / name
        rules = Rules(
            spec["restartPolicy"],
            float(spec.get("terminationGracePeriodSeconds", 30)),
            settings.back_off_seconds,
        )
        self._containers = [self._build_container(item, rules) for item in spec["containers"]]
        self._changed = asyncio.Event()
        self._since: dict[str, tuple[str, str]] = {}
        self._started = now()
        self._oom = self._annotation(OOM_ANNOTATION)
        self._evicted: str | None = None
        self._finished = pod["status"].get("phase") in ("Succeeded", "Failed")

    def _build_container(self, spec: Object, rules: Rules) -> Container:
        async def prepare() -> Launch:
            return await self._prepare(spec)

        folder = self._folder / spec["name"]
        container = Container(spec, rules, folder, prepare, lambda: self._changed.set())
        for status in self.object["status"].get("containerStatuses", ()):
            if status["name"] == spec["name"]:
                container.resume(status)
        return container

    def update(self, pod: Object) -> None:
        """Take note of a change of the object."""
        self.object = pod
        seconds = pod["metadata"].get("deletionGracePeriodSeconds")
        if "deletionTimestamp" in pod["metadata"]:
            for container in self._containers:
                container.stop(float(seconds or 0))
        if (value := self._annotation(OOM_ANNOTATION)) != self._oom:
            self._oom = value
            self._containers[0].kill("OOMKilled")
        message = self._annotation(EVICT_ANNOTATION)
        if message is not None and self._evicted is None:
            self._evicted = message
            for container in self._containers:
                container.stop(0)
        self._changed.set()

    def vanish(self) -> None:
        """End at once: the object is gone already."""
        for container in self._containers:
            container.stop(0)

    async def run(self) -> None:
        """Run it until its object is gone."""
        if not self._finished:
            if refusal := _find_unsupported(self.object["spec"]):
                await self._refuse(refusal)
            else:
                await self._run_containers()
        while "deletionTimestamp" not in self.object["metadata"]:
            self._changed.clear()
            await self._changed.wait()
        await self._remove()

    async def _run_containers(self) -> None:
        telling = asyncio.create_task(self._tell(), name="status")
        runs = [asyncio.create_task(container.run()) for container in self._containers]
        self.update(self.object)
        await asyncio.gather(*runs)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        await self._send(self._build_status())

    async def _refuse(self, reason: str) -> None:
        await self._send({"phase": "Failed", "reason": "Unsupported", "message": reason})

    async def _remove(self) -> None:
        body = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": self.object["metadata"]["uid"]},
        }
        try:
            await self._api.call("DELETE", self._path, body)
        except ApiError as error:
            if error.code not in (404, 409):
                raise

    async def _tell(self) -> None:
        while True:
            self._changed.clear()
            await self._send(self._build_status())
            await self._changed.wait()

    async def _send(self, status: Object) -> None:
        body = {"metadata": {"uid": self.object["metadata"]["uid"]}, "status": status}
        try:
            await self._api.patch_status(self._path, body)
        except ApiError as error:
            # Gone, or another one of its name: the watch will tell, too.
            if error.code not in (404, 409):
                print(f"status of {self._path}: {error}", file=sys.stderr, flush=True)

    def _build_status(self) -> Object:
        phase = self._find_phase()
        ready = all(container.ready for container in self._containers)
        cause = "" if ready else "PodCompleted" if phase == "Succeeded" else "ContainersNotReady"
        values = {
            "PodReadyToStartContainers": (phase == "Running", ""),
            "Initialized": (True, ""),
            "Ready": (ready, cause),
            "ContainersReady": (ready, cause),
        }
        status: Object = {
            "phase": phase,
            "hostIP": "127.0.0.1",
            "podIP": self._address,
            "podIPs": [{"ip": self._address}],
            "startTime": self.object["status"].get("startTime") or self._started,
            "containerStatuses": [container.build_status() for container in self._containers],
        }
        if self._evicted is not None:
            status |= {"reason": "Evicted", "message": self._evicted}
            values["DisruptionTarget"] = (True, "TerminationByKubelet")
        status["conditions"] = [
            self._build_condition(kind, str(value), reason)
            for kind, (value, reason) in values.items()
        ]
        return status

    def _build_condition(self, kind: str, status: str, reason: str) -> Object:
        before, since = self._since.get(kind, ("", ""))
        if before != status:
            since = now()
            self._since[kind] = (status, since)
        return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": since}

    def _find_phase(self) -> str:
        codes = [container.final_code for container in self._containers]
        if all(code is not None for code in codes):
            return "Failed" if any(codes) or self._evicted is not None else "Succeeded"
        begun = all("running" in c.state or c.last_state or c.final_code for c in self._containers)
        return "Running" if begun else "Pending"

    def _annotation(self, name: str) -> str | None:
        value = (self.object["metadata"].get("annotations") or {}).get(name)
        return None if value is None else str(value)

    async def _prepare(self, container: Object) -> Launch:
        """Return how a container is started now.

        Raises:
            ImageError: The node does not have the image.
            ConfigurationError: Something that the pod names is missing.
        """
        image = load_image(self._settings.images, container["image"])
        if image is None:
            raise ImageError(f'failed to pull image "{container["image"]}": not found')
        materials = await fetch_materials(self._api, self.object)
        volumes = make_volumes(self.object, materials, self._folder)
        home = self._folder / container["name"]
        paths = build_path_map(container, volumes, home)
        variables = build_variables(self.object, container, materials, self._address)
        command = image.build_command(
            [expand(item, variables) for item in container.get("command", ())],
            [expand(item, variables) for item in container.get("args", ())],
        )
        directory = container.get("workingDir") or image.working_directory
        env = {**self._base_variables(home), **image.env, **variables}
        return Launch(
            tuple(replace_paths(item, paths) for item in command),
            {name: replace_paths(value, paths) for name, value in env.items()},
            Path(replace_paths(directory, paths)) if directory else home,
            self._address,
            lambda text: replace_paths(text, paths),
        )

    def _base_variables(self, home: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "HOSTNAME": self.object["metadata"]["name"],
            "KUBERNETES_SERVICE_HOST": self._settings.api_host,
            "KUBERNETES_SERVICE_PORT": str(self._settings.api_port),
        }


def _find_unsupported(spec: Object) -> str | None:
    if "initContainers" in spec:
        return "the node agent runs no init containers"
    if any("lifecycle" in container for container in spec["containers"]):
        return "the node agent runs no lifecycle hooks"
    return None
