"""`manifests/`: what the chart renders, for those who do not use Helm.

The objects are the chart's, without what only Helm needs: its labels, its hooks. They are for the
namespace `zerog`. Kustomize changes the images and the address of Couchbase; it does not find the
namespace everywhere, e.g. not in the condition of an admission policy.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from zerog_tools.chart.helm import join, render
from zerog_tools.repository import ROOT

NAMESPACE = "zerog"
_HELMS = ("helm.sh/chart", "app.kubernetes.io/managed-by")
_HEAD = "# Made of charts/zerog by `make generate`; do not edit.\n"
#: Where `make images` puts them: kustomize changes it.
_BASE: dict[str, Any] = {"crds": {"install": False}, "imageRegistry": "localhost/zerog"}
_CLUSTER_WIDE: dict[str, Any] = {"operator": {"clusterWide": True}}
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
    rights, policy = folder / "rbac/operator.yaml", folder / "rbac/admission-policy.yaml"
    files[folder / "rbac/people.yaml"] = _HEAD + _ABOUT_PEOPLE + _dump(_people())
    files[rights] = _HEAD + _ABOUT_RIGHTS + _dump(_rights())
    files[policy] = _HEAD + _ABOUT_POLICY + _dump(_policy())
    return files


def _render(values: dict[str, Any]) -> list[dict[str, Any]]:
    rendered = render(join(_BASE, values), "--skip-tests", namespace=NAMESPACE)
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
# Lease that makes one replica the active one. The tests run the operator under it. Bind the Role in
# the operator's namespace, where the Lease is, too. For pools of some namespaces set
# ZEROG_NAMESPACES and ZEROG_WATCH_NODES=0, and bind the ClusterRole by a RoleBinding in each of
# them. For those of all namespaces bind it by a ClusterRoleBinding, but not without
# admission-policy.yaml: an account that may make any pod anywhere has the cluster.
"""

_ABOUT_POLICY = """\
# What the API server lets the account zerog-operator of the namespace zerog do with pods: replace
# both where they are others. Needs Kubernetes 1.30. It is for an operator of the whole cluster:
# pods may be made only in namespaces with the label zerog.dev/pools=allowed.
"""


_ABOUT_PEOPLE = """\
# What people may do with pools: the cluster's roles view, edit and admin of a namespace include it.
"""


_RIGHTS = ("ServiceAccount", "ClusterRole", "Role", "Lease")


def _rights() -> list[dict[str, Any]]:
    found = []
    for item in _render(_CLUSTER_WIDE):
        metadata = item["metadata"]
        component = metadata["labels"]["app.kubernetes.io/component"]
        if component == "operator" and item["kind"] in _RIGHTS:
            found.append({**item, "metadata": {"name": "zerog-operator"}})
    return found


def _policy() -> list[dict[str, Any]]:
    return [item for item in _render(_CLUSTER_WIDE) if item["kind"].startswith("Validating")]


def _people() -> list[dict[str, Any]]:
    rendered = _render({"crds": {"install": True}})
    return [item for item in rendered if "-pools-" in item["metadata"]["name"]]


def _dump(objects: Sequence[dict[str, Any]]) -> str:
    text: str = yaml.dump_all(
        objects, Dumper=_Dumper, sort_keys=False, width=120, explicit_start=True
    )
    return text
