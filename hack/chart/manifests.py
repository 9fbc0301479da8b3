"""`manifests/`: what the chart renders, for those who do not use Helm.

The objects are the chart's, without what only Helm needs: its labels, its hooks. They are for the
namespace `zerog`; kustomize changes it, the images, and the address of Couchbase.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hack.chart.values import ROOT
from tests.chart.helm import join, render

NAMESPACE = "zerog"
_HELMS = ("helm.sh/chart", "app.kubernetes.io/managed-by")
_HEAD = "# Made of charts/zerog by `make generate`; do not edit.\n"
_CRD_ELSEWHERE: dict[str, Any] = {"crds": {"install": False}}
_COUCHBASE: dict[str, Any] = {
    "datastore": "couchbase",
    "couchbase": {
        "connectionString": "couchbases://couchbase.example?network=default",
        "existingSecret": "zerog-couchbase",
        "caSecret": "zerog-couchbase-ca",
    },
    "api": {"replicas": 2, "podDisruptionBudget": {"enabled": True}},
    "operator": {"podDisruptionBudget": {"enabled": True}},
}
#: File, values, and what its reader has to know.
_INSTALLATIONS: tuple[tuple[str, dict[str, Any], str], ...] = (
    (
        "trial.yaml",
        {},
        "# A trial: SQLite on a volume, one API pod, workers on its node, in this namespace.\n"
        "#   kubectl apply --server-side -f manifests/crds -f manifests/install/trial.yaml\n",
    ),
    (
        "couchbase.yaml",
        _COUCHBASE,
        "# With a Couchbase of your own: change its address wherever it stands, and make first\n"
        "# the Secrets zerog-couchbase (key password) and zerog-couchbase-ca (key ca.crt).\n"
        "#   kubectl apply --server-side -f manifests/crds -f manifests/install/couchbase.yaml\n",
    ),
)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def build_manifests() -> dict[Path, str]:
    """Return all generated manifests: paths, and what is to be in them."""
    folder = ROOT / "manifests"
    files = {
        folder / "install" / name: _HEAD + about + _dump([_namespace(), *_render(values)])
        for name, values, about in _INSTALLATIONS
    }
    files[folder / "rbac" / "operator.yaml"] = _HEAD + _ABOUT_RIGHTS + _dump(_rights())
    return files


def _render(values: dict[str, Any]) -> list[dict[str, Any]]:
    rendered = render(join(values, _CRD_ELSEWHERE), "--skip-tests", namespace=NAMESPACE)
    objects = rendered.objects
    for item in objects:
        for labels in _labels_of(item):
            for label in _HELMS:
                labels.pop(label, None)
    return objects


def _labels_of(item: dict[str, Any]) -> list[dict[str, Any]]:
    template = item.get("spec", {}).get("template", {}).get("metadata", {})
    return [metadata["labels"] for metadata in (item["metadata"], template) if "labels" in metadata]


def _namespace() -> dict[str, Any]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": labels},
    }


_ABOUT_RIGHTS = """\
# What the operator may do: exactly what zerog_operator.cluster calls and kopf watches; and the
# Lease that makes one replica the active one. The tests run the operator under it. Bind the
# ClusterRole in the cluster and the Role in the operator's namespace, where the Lease is, too. With
# ZEROG_NAMESPACES set, a RoleBinding to the ClusterRole in each of them is enough, and
# ZEROG_WATCH_NODES=0.
"""


_RIGHTS = ("ServiceAccount", "ClusterRole", "Role", "Lease")


def _rights() -> list[dict[str, Any]]:
    found = []
    for item in _render({}):
        metadata = item["metadata"]
        component = metadata["labels"]["app.kubernetes.io/component"]
        if component == "operator" and item["kind"] in _RIGHTS:
            found.append({**item, "metadata": {"name": "zerog-operator"}})
    return found


def _dump(objects: Sequence[dict[str, Any]]) -> str:
    text: str = yaml.dump_all(
        objects, Dumper=_Dumper, sort_keys=False, width=120, explicit_start=True
    )
    return text
