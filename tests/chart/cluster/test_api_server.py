"""What a real API server says of everything that the chart renders."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from tests.chart.variants import VARIANTS

from zerog_tools.chart.helm import REGISTRY, Object, Rendered, render, run_helm, with_registry
from zerog_tools.cluster.interface import Cluster
from zerog_tools.cluster.process import wait_until
from zerog_tools.repository import CHART

#: Several programs, one after the other: more than the usual limit on a busy machine.
pytestmark = pytest.mark.timeout(300)
#: What of a release is cluster-wide, and everything else.
WIDE = "clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding"
KINDS = "all,configmap,secret,serviceaccount,role,rolebinding,networkpolicy,pvc,lease,pdb,zwp"


def move(item: Object, namespace: str) -> Object:
    """Put what belongs to other namespaces into the test's one."""
    if "namespace" in item["metadata"]:
        item["metadata"]["namespace"] = namespace
    return item


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
def test_everything_is_accepted_without_a_warning(cluster: Cluster, dry: str, variant: str) -> None:
    rendered = render(VARIANTS[variant], namespace=dry)
    objects = [move(item, dry) for item in rendered.objects if item["kind"] != "Pod"]

    for items in (objects, pods_of(rendered, dry)):
        cluster.kubectl(
            "apply", "--dry-run=server", "--server-side", "--validate=strict",
            "--warnings-as-errors", "-f", "-", stdin=yaml.safe_dump_all(items),
        )  # fmt: skip


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_the_notes_name_what_there_is(cluster: Cluster, dry: str, variant: str) -> None:
    values = with_registry({**VARIANTS[variant], "crds": {"install": False}})
    said = run_helm(
        "install", "zerog", str(CHART), "--dry-run=client", "--namespace", dry,
        "--kubeconfig", str(cluster.kubeconfig_path), "--values", "-", stdin=values,
    )  # fmt: skip

    notes = said.partition("NOTES:")[2]
    assert f"http://zerog-api.{dry}.svc:80" in notes
    warned = [line for line in notes.splitlines() if line.startswith("WARNING: ")]
    assert any("trial" in line for line in warned) == (
        VARIANTS[variant].get("datastore", "sqlite") == "sqlite"
    )
    assert any("auth.mode=off" in line for line in warned) == (variant == "open")
    testable = "# no `helm test`" not in notes
    assert ("kind: ZeroGWorkerPool" in said.partition("NOTES:")[0]) == testable


def test_an_installation_comes_and_goes_and_leaves_nothing(
    cluster: Cluster, restricted: str
) -> None:
    install = [restricted, str(CHART), "--namespace", restricted]
    kubeconfig = ["--kubeconfig", str(cluster.kubeconfig_path)]
    # Where several tests share a cluster the kind belongs to none of them.
    values = ["--set", f"crds.install=false,imageRegistry={REGISTRY}"]

    def names() -> set[str]:
        here = cluster.kubectl("get", KINDS, "-n", restricted, "-o", "name").split()
        wide = cluster.kubectl("get", WIDE, "-o", "name").split()
        return {*here, *(name for name in wide if restricted in name)}

    before = names()
    run_helm("install", *install, *values, *kubeconfig)
    installed = names()
    run_helm("upgrade", *install, *values, "--set", "operator.replicas=1", *kubeconfig)
    run_helm("uninstall", restricted, "--namespace", restricted, *kubeconfig)

    assert any(name.endswith("-api") for name in installed - before)
    assert any("validatingadmissionpolicy.admission" in name for name in installed - before)
    wait_until(lambda: names() == before, 60, "all that was installed is gone")


def test_an_upgrade_takes_the_lease_from_no_holder(
    cluster: Cluster, restricted: str, tmp_path: Path
) -> None:
    newer = shutil.copytree(CHART, tmp_path / "zerog")
    text = (newer / "Chart.yaml").read_text()
    (newer / "Chart.yaml").write_text(text.replace("version: 0.1.0", "version: 0.1.1", 1))
    options = ["--namespace", restricted, "--kubeconfig", str(cluster.kubeconfig_path)]
    values = ["--set", f"crds.install=false,imageRegistry={REGISTRY}"]
    path = f"/apis/coordination.k8s.io/v1/namespaces/{restricted}/leases/zerog-operator"

    def read() -> Object:
        found: Object = json.loads(cluster.kubectl("get", "--raw", path))
        return found

    run_helm("install", "zerog", str(CHART), *values, *options)
    made = read()
    # As the operator does it.
    held = made | {"spec": {"holderIdentity": "me", "leaseTransitions": 1}}
    cluster.kubectl("replace", "-f", "-", stdin=json.dumps(held))
    run_helm("upgrade", "zerog", str(newer), *values, *options)
    after = read()
    run_helm("uninstall", "zerog", *options)

    assert not made.get("spec")
    assert after["metadata"]["labels"]["helm.sh/chart"] == "zerog-0.1.1"
    assert after["spec"] == held["spec"]


def test_the_kind_stays_unless_told_otherwise() -> None:
    (kept,) = render().of_kind("CustomResourceDefinition")
    (gone,) = render({"crds": {"keep": False}}).of_kind("CustomResourceDefinition")

    assert kept["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert "annotations" not in gone["metadata"]
    original = yaml.safe_load((CHART / "files/crds/zerogworkerpools.yaml").read_text())
    assert kept["spec"] == original["spec"] == gone["spec"]
