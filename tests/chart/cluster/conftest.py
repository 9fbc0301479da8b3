"""A namespace that refuses and tells of everything that is not restricted; all kinds are known."""

import pytest
import yaml
from tests.chart.helm import CHART
from tests.chart.kinds import build_couchbase_kinds, find_kinds
from tests.cluster.interface import Cluster

RESTRICTED = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]


@pytest.fixture(scope="session")
def kinds(cluster: Cluster) -> None:
    """Make known our kind and those of others."""
    paths = [CHART / "files/crds/zerogworkerpools.yaml", *find_kinds()]
    texts = [path.read_text() for path in paths]
    for stdin in (*texts, yaml.safe_dump_all(build_couchbase_kinds())):
        cluster.kubectl("apply", "--server-side", "-f", "-", stdin=stdin)
        cluster.kubectl("wait", "--for=condition=Established", "-f", "-", "--timeout=30s",
                        stdin=stdin)  # fmt: skip


@pytest.fixture
def restricted(cluster: Cluster, kinds: None, namespace: str) -> str:
    """The name of a namespace of its own."""
    cluster.kubectl("label", "namespace", namespace, *RESTRICTED)
    return namespace
