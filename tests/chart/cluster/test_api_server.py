"""What a real API server says of everything that the chart renders."""

import pytest
import yaml
from tests.chart.helm import CHART, Object, Rendered, render, run_helm
from tests.chart.variants import VARIANTS
from tests.cluster.interface import Cluster
from tests.cluster.process import wait_until

#: The namespace refuses pods that are not restricted, and warns of workloads that make such.
RESTRICTED = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]


@pytest.fixture
def restricted(cluster: Cluster, namespace: str) -> str:
    cluster.kubectl("label", "namespace", namespace, *RESTRICTED)
    crd = CHART / "files/crds/zerogworkerpools.yaml"
    cluster.kubectl("apply", "--server-side", "-f", str(crd))
    cluster.kubectl("wait", "--for=condition=Established", "-f", str(crd), "--timeout=30s")
    return namespace


def move(item: Object, namespace: str) -> Object:
    """Put what belongs to other namespaces into the test's one."""
    if "namespace" in item["metadata"]:
        item["metadata"]["namespace"] = namespace
    return item


def known(cluster: Cluster, rendered: Rendered) -> list[Object]:
    """Return the objects whose kinds the API server knows."""
    groups = {line.split("/")[0] for line in cluster.kubectl("api-versions").split()}

    def is_known(item: Object) -> bool:
        group, slash, _ = item["apiVersion"].partition("/")
        return not slash or group in groups

    return [item for item in rendered.objects if is_known(item)]


def pods_of(rendered: Rendered, namespace: str) -> list[Object]:
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"dry-{number}", "namespace": namespace},
            # The accounts are only rendered.
            "spec": {**spec, "serviceAccountName": "default"},
        }
        for number, (_, spec) in enumerate(rendered.pod_specs())
    ]


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_everything_is_accepted_without_a_warning(
    cluster: Cluster, restricted: str, variant: str
) -> None:
    rendered = render(VARIANTS[variant], namespace=restricted)
    objects = [move(item, restricted) for item in known(cluster, rendered)]

    for items in (objects, pods_of(rendered, restricted)):
        cluster.kubectl(
            "apply", "--dry-run=server", "--server-side", "--validate=strict",
            "--warnings-as-errors", "-f", "-", stdin=yaml.safe_dump_all(items),
        )  # fmt: skip


def test_an_installation_comes_and_goes_and_leaves_nothing(
    cluster: Cluster, restricted: str
) -> None:
    install = [restricted, str(CHART), "--namespace", restricted]
    kubeconfig = ["--kubeconfig", str(cluster.kubeconfig_path)]
    # Where several tests share a cluster the kind belongs to none of them.
    values = ["--set", "crds.install=false"]
    kinds = "all,configmap,secret,serviceaccount,role,rolebinding,networkpolicy,pvc,lease,pdb"

    def names() -> set[str]:
        here = cluster.kubectl("get", kinds, "-n", restricted, "-o", "name").split()
        wide = cluster.kubectl("get", "clusterrole,clusterrolebinding", "-o", "name").split()
        return {*here, *(name for name in wide if restricted in name)}

    before = names()
    run_helm("install", *install, *values, *kubeconfig)
    installed = names()
    run_helm("upgrade", *install, *values, "--set", "operator.replicas=1", *kubeconfig)
    run_helm("uninstall", restricted, "--namespace", restricted, *kubeconfig)

    assert any(name.endswith("-api") for name in installed - before)
    wait_until(lambda: names() == before, 60, "all that was installed is gone")
