"""A trial beside the installation: SQLite on a volume, a job, and nothing left behind."""

from collections.abc import Mapping

from tests.e2e.installation import Installation

from zerog_tools.cluster.interface import Cluster
from zerog_tools.cluster.process import wait_until
from zerog_tools.trial.installation import DEADLINE_SECONDS

NAMESPACE = "trial"
#: What a namespace has by itself.
OWN = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
KINDS = "all,configmaps,secrets,serviceaccounts,roles,rolebindings,pvc,pdb,networkpolicies,leases"
CLUSTER_KINDS = "clusterroles,clusterrolebindings"


def test_a_trial_runs_a_job_and_leaves_nothing_behind(
    installed: Installation, cluster: Cluster, images: Mapping[str, str]
) -> None:
    trial = Installation(cluster, NAMESPACE, images)
    trial.make_namespace()
    trial.install({"crds": {"install": False}, "operator": {"namespaces": [NAMESPACE]}})
    trial.helm("test", "zerog", f"--timeout={DEADLINE_SECONDS:.0f}s")

    trial.helm("uninstall", "zerog", "--wait")

    def is_clean() -> bool:
        there = set(trial.kubectl("get", KINDS, "-o", "name", "--ignore-not-found").split())
        return {name.replace(".rbac.authorization.k8s.io", "") for name in there} == OWN

    wait_until(is_clean, DEADLINE_SECONDS, "nothing is left")
    left = cluster.kubectl("get", CLUSTER_KINDS, "-o", "name")
    assert f"zerog-{NAMESPACE}" not in left
