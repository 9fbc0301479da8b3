"""pytest fixtures over a test cluster; `tests/conftest.py` gives them to every test.

`cluster` is one cluster for all tests of a process, `namespace` a new place in it for each
test. Pods stay pending in it. Tests whose pods shall get on override the fixture:

    @pytest.fixture(scope="session")
    def cluster(fake_cluster: ControlPlane) -> ControlPlane:
        return fake_cluster

A test that stops servers or changes what is cluster-wide makes a cluster of its own, `with
ControlPlane("mine") as cluster`, and says so by the fixture `own_clusters`.

Where nothing can be built a test is skipped, and in CI it fails: a missing part must not
look like a passed test.
"""

import os
import secrets
from collections.abc import Iterator
from typing import NoReturn

import pytest

from zerog_tools.cluster.binaries import BuildError
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.fake_nodes import FakeNodes
from zerog_tools.cluster.go import GoMissingError
from zerog_tools.cluster.interface import Cluster
from zerog_tools.cluster.local_node import LocalNode
from zerog_tools.kind.cluster import KindCluster
from zerog_tools.kind.engine import KindMissingError

#: `kind` runs the same tests on kind; anything else on the harness's own control plane.
CHOICE = "TEST_CLUSTER"
#: How long a new namespace may take to get its service account.
NAMESPACE_SECONDS = 60.0


def skip_or_fail(reason: str) -> NoReturn:
    """Skip a test whose means are not there; in CI fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def start_or_skip(cluster: Cluster, request: pytest.FixtureRequest) -> None:
    """Start a cluster; where its programs cannot be had skip, or fail in CI."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    try:
        # A build takes minutes, and whoever waits wants to see that it goes on.
        with capture.global_and_fixture_disabled():
            cluster.create()
    except (GoMissingError, KindMissingError) as error:
        skip_or_fail(str(error))
    except BuildError as error:
        pytest.fail(str(error), pytrace=False)


def _worker() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A running cluster that all tests of this process share."""
    made = KindCluster(_worker()) if os.environ.get(CHOICE) == "kind" else ControlPlane(_worker())
    start_or_skip(made, request)
    failed_before = request.session.testsfailed
    yield made
    made.delete(keep_logs=request.session.testsfailed > failed_before)


@pytest.fixture(scope="session")
def fake_nodes(request: pytest.FixtureRequest) -> Iterator[FakeNodes]:
    """Two fake nodes that take thousands of pods, in a cluster (its `cluster`) with a scheduler."""
    if os.environ.get(CHOICE) == "kind":
        pytest.skip("fake nodes are no part of kind")
    made = ControlPlane(f"fake-{_worker()}", scheduler=True)
    start_or_skip(made, request)
    failed_before = request.session.testsfailed
    try:
        nodes = FakeNodes(made, count=2)
        nodes.start()
        yield nodes
    finally:
        made.delete(keep_logs=request.session.testsfailed > failed_before)


@pytest.fixture(scope="session")
def fake_cluster(fake_nodes: FakeNodes) -> ControlPlane:
    """A running cluster with a scheduler and two fake nodes."""
    return fake_nodes.cluster


@pytest.fixture(scope="session")
def local_node(request: pytest.FixtureRequest) -> Iterator[LocalNode]:
    """A node that runs pods as local processes, in a cluster (its `cluster`) with a scheduler.

    It has no image yet: `local_node.add_image(name, Image(...))`.
    """
    if os.environ.get(CHOICE) == "kind":
        pytest.skip("pods as local processes are no part of kind")
    made = ControlPlane(f"node-{_worker()}", scheduler=True)
    start_or_skip(made, request)
    failed_before = request.session.testsfailed
    try:
        node = LocalNode(made)
        node.start()
        yield node
    finally:
        made.delete(keep_logs=request.session.testsfailed > failed_before)


@pytest.fixture(scope="session")
def cluster_of_images(request: pytest.FixtureRequest) -> Iterator[KindCluster]:
    """A running cluster of kind with two nodes for pods that are real containers."""
    made = KindCluster(f"{_worker()}-images", workers=2)
    start_or_skip(made, request)
    failed_before = request.session.testsfailed
    yield made
    made.delete(keep_logs=request.session.testsfailed > failed_before)


@pytest.fixture(scope="session")
def own_clusters() -> None:
    """For tests that start control planes of their own: they are no part of a run on kind."""
    if os.environ.get(CHOICE) == "kind":
        pytest.skip("clusters of the harness's own are no part of kind")


@pytest.fixture(scope="session")
def control_plane(cluster: Cluster) -> ControlPlane:
    """The shared cluster, for tests that need what only our own control plane can do."""
    if not isinstance(cluster, ControlPlane):
        pytest.skip("this test needs the harness's own control plane")
    return cluster


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """The name of a new namespace in which pods can be made; it is deleted afterwards."""
    name = f"test-{secrets.token_hex(4)}"
    # Its end takes seconds, and nobody needs to see it.
    if isinstance(cluster, ControlPlane):
        cluster.create_namespace(name)
        yield name
        cluster.delete_namespace(name)
        return
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl(
        "wait", "--for=create", "serviceaccount/default", "-n", name,
        f"--timeout={NAMESPACE_SECONDS:.0f}s", timeout=2 * NAMESPACE_SECONDS,
    )  # fmt: skip
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
