"""A namespace that refuses and tells of everything that is not restricted; all kinds are known."""

import secrets
from collections.abc import Iterator

import pytest
import yaml
from tests.chart.kinds import build_couchbase_kinds, find_kinds

from zerog_tools.cluster.interface import Cluster
from zerog_tools.cluster.process import wait_until
from zerog_tools.repository import CHART

#: How long a new namespace may take to get its service account.
ACCOUNT_SECONDS = 60.0
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


@pytest.fixture(scope="session")
def dry(cluster: Cluster, kinds: None) -> Iterator[str]:
    """The name of a restricted namespace for tests that change nothing."""
    name = f"dry-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, *RESTRICTED)

    def has_account() -> bool:
        found = cluster.kubectl("get", "serviceaccounts", "-n", name, "-o", "name")
        return "serviceaccount/default" in found.split()

    wait_until(has_account, ACCOUNT_SECONDS, f"namespace {name} has a service account")
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@pytest.fixture
def restricted(cluster: Cluster, kinds: None, namespace: str) -> str:
    """The name of a namespace of its own."""
    cluster.kubectl("label", "namespace", namespace, *RESTRICTED)
    return namespace
