"""What a container's process is given: command, variables, files in place of volumes.

A process of a node agent has no file system of its own. A volume is a folder of the pod,
and its mount path is replaced by that folder wherever it stands in the command, in the
variables and in the probes.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zerog_tools.cluster.node.api import NodeApi, Object

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_MAP_FIELD = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class ConfigurationError(Exception):
    """A container cannot be made as it is described; the message is what kubelet would say."""


@dataclass(frozen=True, slots=True)
class Materials:
    """The secrets and config maps that a pod names, by kind and name; None where missing."""

    found: Mapping[tuple[str, str], Mapping[str, str] | None] = field(default_factory=dict)

    def get(self, kind: str, reference: Object, name_key: str = "name") -> Mapping[str, str] | None:
        """Return one of them, None if it is missing and may be.

        Raises:
            ConfigurationError: It is missing and needed.
        """
        name = reference[name_key]
        data = self.found.get((kind, name))
        if data is None and not reference.get("optional"):
            raise ConfigurationError(f'{kind} "{name}" not found')
        return data


async def fetch_materials(api: NodeApi, pod: Object) -> Materials:
    """Fetch all secrets and config maps that a pod names."""
    namespace = pod["metadata"]["namespace"]
    found: dict[tuple[str, str], Mapping[str, str] | None] = {}
    for kind, name in sorted(_collect_names(pod["spec"])):
        kinds = {"secret": "secrets", "configmap": "configmaps"}[kind]
        item = await api.find(f"/api/v1/namespaces/{namespace}/{kinds}/{name}")
        found[kind, name] = None if item is None else _decode(kind, item)
    return Materials(found)


def _decode(kind: str, item: Object) -> Mapping[str, str]:
    data = item.get("data") or {}
    if kind == "configmap":
        return dict(data)
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def _collect_names(spec: Object) -> set[tuple[str, str]]:
    names = set()
    for container in spec["containers"]:
        for entry in container.get("envFrom", ()):
            names |= {("secret", entry["secretRef"]["name"])} if "secretRef" in entry else set()
            if "configMapRef" in entry:
                names.add(("configmap", entry["configMapRef"]["name"]))
        for entry in container.get("env", ()):
            source = entry.get("valueFrom") or {}
            if "secretKeyRef" in source:
                names.add(("secret", source["secretKeyRef"]["name"]))
            if "configMapKeyRef" in source:
                names.add(("configmap", source["configMapKeyRef"]["name"]))
    for volume in spec.get("volumes", ()):
        if "secret" in volume:
            names.add(("secret", volume["secret"]["secretName"]))
        if "configMap" in volume:
            names.add(("configmap", volume["configMap"]["name"]))
    return names


def read_field(pod: Object, path: str, address: str) -> str:
    """Return a field of a pod as the downward API gives it.

    Raises:
        ConfigurationError: The downward API has no such field.
    """
    if match := _MAP_FIELD.fullmatch(path):
        return str((pod["metadata"].get(match[1]) or {}).get(match[2], ""))
    fields: dict[str, Callable[[], Any]] = {
        "metadata.name": lambda: pod["metadata"]["name"],
        "metadata.namespace": lambda: pod["metadata"]["namespace"],
        "metadata.uid": lambda: pod["metadata"]["uid"],
        "spec.nodeName": lambda: pod["spec"]["nodeName"],
        "spec.serviceAccountName": lambda: pod["spec"].get("serviceAccountName", ""),
        "status.hostIP": lambda: "127.0.0.1",
        "status.podIP": lambda: address,
        "status.podIPs": lambda: address,
    }
    if path not in fields:
        raise ConfigurationError(f"the node agent knows no field {path}")
    return str(fields[path]())


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by known values; `$$` is a dollar sign, unknown names stay."""

    def replace(match: re.Match[str]) -> str:
        return "$" if match[1] is None else values.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)


def build_variables(
    pod: Object, container: Object, materials: Materials, address: str
) -> dict[str, str]:
    """Return the variables that a container's description gives it.

    Raises:
        ConfigurationError: Something it names is missing.
    """
    values: dict[str, str] = {}
    for entry in container.get("envFrom", ()):
        kind, reference = (
            ("secret", entry["secretRef"])
            if "secretRef" in entry
            else ("configmap", entry["configMapRef"])
        )
        for key, value in (materials.get(kind, reference) or {}).items():
            values[entry.get("prefix", "") + key] = value
    for entry in container.get("env", ()):
        if (source := entry.get("valueFrom")) is None:
            values[entry["name"]] = expand(entry.get("value", ""), values)
        elif (found := _read_source(pod, source, materials, address)) is not None:
            values[entry["name"]] = found
    return values


def _read_source(pod: Object, source: Object, materials: Materials, address: str) -> str | None:
    if "fieldRef" in source:
        return read_field(pod, source["fieldRef"]["fieldPath"], address)
    for kind, key in (("secret", "secretKeyRef"), ("configmap", "configMapKeyRef")):
        if key in source:
            reference = source[key]
            data = materials.get(kind, reference) or {}
            if reference["key"] not in data and not reference.get("optional"):
                raise ConfigurationError(
                    f"couldn't find key {reference['key']} in {kind} {reference['name']}"
                )
            return data.get(reference["key"])
    raise ConfigurationError(f"the node agent knows no source {', '.join(source)}")


def make_volumes(pod: Object, materials: Materials, folder: Path) -> dict[str, Path]:
    """Make the folders of a pod's volumes and return them by name.

    Raises:
        ConfigurationError: Something a volume names is missing, or the kind is unknown.
    """
    made = {}
    for volume in pod["spec"].get("volumes", ()):
        path = folder / "volumes" / volume["name"]
        path.mkdir(parents=True, exist_ok=True)
        if "secret" in volume:
            _write_files(path, materials.get("secret", volume["secret"], "secretName"))
        elif "configMap" in volume:
            _write_files(path, materials.get("configmap", volume["configMap"]))
        elif "hostPath" in volume:
            path = Path(volume["hostPath"]["path"])
        elif "emptyDir" not in volume and not _is_token(volume):
            raise ConfigurationError(f"the node agent cannot make volume {volume['name']}")
        made[volume["name"]] = path
    return made


def _write_files(folder: Path, data: Mapping[str, str] | None) -> None:
    for key, value in (data or {}).items():
        (folder / key).touch(mode=0o600)  # a real volume is mounted read-only
        (folder / key).write_text(value)


def _is_token(volume: Object) -> bool:
    # Every pod has it; it stays empty, since its path is fixed in all clients.
    return str(volume["name"]).startswith("kube-api-access-")


def build_path_map(container: Object, volumes: Mapping[str, Path], home: Path) -> dict[str, str]:
    """Return the real path of each path that the container believes to have."""
    paths = {
        mount["mountPath"].rstrip("/"): str(volumes[mount["name"]] / mount.get("subPath", ""))
        for mount in container.get("volumeMounts", ())
    }
    paths[container.get("terminationMessagePath", "/dev/termination-log")] = str(
        home / "termination-log"
    )
    return paths


def replace_paths(text: str, paths: Mapping[str, str]) -> str:
    """Replace paths of the container, and what is below them, by the real ones."""
    if not paths:
        return text
    known = "|".join(re.escape(path) for path in sorted(paths, key=len, reverse=True))
    # Not the end of another path or the start of a longer name; a URL may be in front of it.
    pattern = re.compile(rf"(?<![\w.-])({known})(?![\w.-])")
    return pattern.sub(lambda match: paths[match[1]], text)
