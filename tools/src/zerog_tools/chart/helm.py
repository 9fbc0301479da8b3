"""Rendering the chart: `helm template`, about a tenth of a second each."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from zerog_tools.cluster.binaries import KUBERNETES_VERSION, ensure_binaries
from zerog_tools.repository import CHART

#: One call of helm; the machine may be busy.
HELM_SECONDS = 60.0
RELEASE, NAMESPACE = "zerog", "zerog"
#: Every installation has to say where its images are.
REGISTRY = "localhost/zerog"

Object = dict[str, Any]


class HelmError(Exception):
    """helm refused; the message is its own."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What the chart makes of some values."""

    text: str

    @property
    def objects(self) -> list[Object]:
        """All objects."""
        return [item for item in yaml.load_all(self.text, yaml.CSafeLoader) if item]

    def of_kind(self, kind: str) -> list[Object]:
        """All objects of a kind."""
        return [item for item in self.objects if item["kind"] == kind]

    def find(self, kind: str, name: str) -> Object:
        """Return the object of this kind and name."""
        (found,) = (item for item in self.of_kind(kind) if item["metadata"]["name"] == name)
        return found

    def pod_specs(self) -> Iterator[tuple[str, Object]]:
        """Yield name and spec of every pod that comes of it, but for workers'."""
        for item in self.objects:
            name = f"{item['kind']}/{item['metadata']['name']}"
            if item["kind"] == "Pod":
                yield name, item["spec"]
            elif item["kind"] in ("Deployment", "StatefulSet", "Job"):
                spec = item["spec"]["template"]["spec"]
                claims = [claim["metadata"]["name"]
                          for claim in item["spec"].get("volumeClaimTemplates", ())]  # fmt: skip
                mounted = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}}
                           for claim in claims]  # fmt: skip
                yield name, {**spec, "volumes": [*spec.get("volumes", []), *mounted]}


def run_helm(*arguments: str, stdin: str | None = None) -> str:
    """Run helm and return what it printed.

    Raises:
        HelmError: It failed.
    """
    command = [str(ensure_binaries(["helm"])["helm"]), *arguments]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=HELM_SECONDS, input=stdin
    )
    if result.returncode:
        raise HelmError(result.stderr.strip())
    return result.stdout


def render(
    values: Mapping[str, Any] | None = None,
    *arguments: str,
    namespace: str = NAMESPACE,
    release: str = RELEASE,
) -> Rendered:
    """Render the chart with some values, and a registry unless they have one."""
    return _render(with_registry(values or {}), arguments, namespace, release)


@lru_cache(maxsize=256)
def _render(values: str, arguments: tuple[str, ...], namespace: str, release: str) -> Rendered:
    text = run_helm(
        "template", release, str(CHART), "--namespace", namespace,
        "--kube-version", KUBERNETES_VERSION, "--values", "-", *arguments, stdin=values,
    )  # fmt: skip
    return Rendered(text)


def with_registry(values: Mapping[str, Any]) -> str:
    """Return the text of values, with a registry unless they have one."""
    return json.dumps({"imageRegistry": REGISTRY, **values})


def nest(name: str, value: Any) -> Object:
    """Return the values with one set, named as `--set` names it."""
    for key in reversed(name.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def join(*values: Mapping[str, Any]) -> Object:
    """Return values joined as helm joins them: maps by key, all else replaced."""
    joined: Object = {}
    for one in values:
        for key, value in one.items():
            there = joined.get(key)
            both = isinstance(value, Mapping) and isinstance(there, Mapping)
            joined[key] = join(there, value) if both else value  # type: ignore[arg-type]
    return joined
