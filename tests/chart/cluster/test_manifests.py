"""The samples and the manifests for those without Helm, on a real API server."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import yaml

from zerog_operator.defaults import join_defaults, worker_defaults
from zerog_operator.pool import PoolSpec
from zerog_operator.resources import PoolIdentity, build_describe_pod, build_worker_pod
from zerog_operator.settings import OperatorSettings
from zerog_tools.chart.helm import render
from zerog_tools.cluster.interface import Cluster, KubectlError
from zerog_tools.cluster.process import wait_until
from zerog_tools.repository import ROOT

#: A controller puts the rules of roles together.
ROLE_SECONDS = 60.0
SAMPLES = sorted((ROOT / "manifests/samples").glob("*.yaml"), key=lambda path: path.name)
INSTALLATIONS = sorted((ROOT / "manifests/install").glob("*.yaml"), key=lambda path: path.name)


def read(path: Any) -> list[dict[str, Any]]:
    return [item for item in yaml.safe_load_all(path.read_text()) if item]


def try_out(cluster: Cluster, items: Sequence[dict[str, Any]], *arguments: str) -> None:
    cluster.kubectl(
        "apply", "--dry-run=server", "--server-side", "--validate=strict",
        "--warnings-as-errors", *arguments, "-f", "-", stdin=yaml.safe_dump_all(items),
    )  # fmt: skip


def pods_of(pool: dict[str, Any], namespace: str) -> list[dict[str, Any]]:
    """The pods that the operator of the default installation makes for a pool."""
    config = render().find("ConfigMap", "zerog-operator")
    settings = OperatorSettings(worker_defaults=config["data"]["worker-defaults.json"])
    defaults = worker_defaults(settings)
    name = pool["metadata"]["name"]
    given = {**pool["spec"], "template": join_defaults(pool["spec"]["template"], defaults)}
    spec = PoolSpec.parse(name, given)
    of = PoolIdentity(namespace, name, "00000000-0000-0000-0000-000000000000")
    made = [build_worker_pod(of, spec, f"{name}-abcdef"), build_describe_pod(of, spec)]
    for pod in made:
        # Accounts and Secrets are the reader's.
        pod["spec"].pop("serviceAccountName", None)
    return made


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_sample_is_accepted_and_its_workers_are_restricted(
    cluster: Cluster, dry: str, path: Any
) -> None:
    items = read(path)

    try_out(cluster, items, "-n", dry)
    for item in items:
        if item["kind"] == "ZeroGWorkerPool":
            try_out(cluster, pods_of(item, dry))


@pytest.mark.parametrize("path", INSTALLATIONS, ids=lambda path: path.name)
def test_an_installation_without_helm_is_accepted(cluster: Cluster, dry: str, path: Any) -> None:
    items = read(path)
    for item in items:
        metadata = item["metadata"]
        assert not [key for key in metadata.get("labels", {}) if "helm" in key], metadata
        if "namespace" in metadata:
            metadata["namespace"] = dry

    try_out(cluster, items)


def test_people_with_the_clusters_own_roles_see_or_change_pools(cluster: Cluster, dry: str) -> None:
    people = ROOT / "manifests/rbac/people.yaml"
    cluster.kubectl("apply", "--server-side", "-f", str(people))

    def may(verb: str, person: str) -> bool:
        # An answer of no is an exit code, too.
        try:
            cluster.kubectl("auth", "can-i", verb, "zerogworkerpools.zerog.dev", "-n", dry,
                            "--as", person)  # fmt: skip
        except KubectlError:
            return False
        return True

    for role in ("view", "edit", "admin"):
        options = ["--clusterrole", role, "--user", f"a-{role}", "-n", dry]
        cluster.kubectl("create", "rolebinding", f"a-{role}", *options)
        wait_until(partial(may, "list", f"a-{role}"), ROLE_SECONDS, f"{role} lists pools")

    assert [may("create", f"a-{role}") for role in ("view", "edit", "admin")] == [False, True, True]
    assert not may("list", "a-stranger")
    cluster.kubectl("delete", "--wait=false", "-f", str(people))


def test_every_sample_is_in_the_list_of_samples() -> None:
    text = (ROOT / "manifests/samples/README.md").read_text()

    assert all(f"]({path.name})" in text for path in SAMPLES)
