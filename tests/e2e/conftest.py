"""One production-like installation for all behaviours: two API pods, two operators, two nodes.

The datastore is the tests' imitation of Couchbase, beside the cluster.
"""

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.cluster.fixtures import skip_or_fail
from tests.couchbase.process import CouchbaseServer
from tests.e2e.installation import Installation

from zerog_tools.images.build import FOLDERS, ImageError, ensure_images
from zerog_tools.kind.cluster import KindCluster
from zerog_tools.trial.installation import DEADLINE_SECONDS

NAMESPACE = "zerog"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests on nodes the time that pods take."""
    for item in items:
        if "/e2e/" in str(item.path) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(3 * DEADLINE_SECONDS))


@pytest.fixture(scope="session")
def cluster(cluster_of_images: KindCluster) -> KindCluster:
    """The cluster with nodes."""
    return cluster_of_images


@pytest.fixture(scope="session")
def images(cluster: KindCluster, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The names of ZeroG's images, which all nodes have."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            built = ensure_images()
    except ImageError as error:
        skip_or_fail(str(error))
    names = [name for name in FOLDERS if name != "base"]
    for name in names:
        cluster.load_image_archive(built.archive(name))
    return {name: built.name(name) for name in names}


@pytest.fixture(scope="session")
def datastore(
    cluster: KindCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """The chart's values for a datastore that all nodes reach."""
    # One that is nowhere by chance.
    password = secrets.token_hex(16)
    folder = tmp_path_factory.mktemp("couchbase")
    with CouchbaseServer(folder, host=cluster.address, password=password) as server:
        yield {
            "datastore": "couchbase",
            "couchbase": {
                "connectionString": server.connection,
                "username": server.user,
                "password": server.password,
            },
        }


@pytest.fixture(scope="session")
def values(datastore: dict[str, Any]) -> dict[str, Any]:
    """The chart's values of the installation."""
    return {
        **datastore,
        "api": {"replicas": 2, "podDisruptionBudget": {"enabled": True}},
        # The trial of another test looks after a namespace of its own.
        "operator": {"namespaces": [NAMESPACE]},
    }


@pytest.fixture(scope="session")
def installed(
    cluster: KindCluster, images: Mapping[str, str], values: dict[str, Any]
) -> Installation:
    """The installation that all tests share, with a caller and no pool."""
    made = Installation(cluster, NAMESPACE, images)
    made.make_namespace()
    made.install(values)
    made.add_caller()
    return made


@pytest.fixture
def zerog(installed: Installation) -> Iterator[Installation]:
    """The installation, with a pool of the tests' jobs that has nothing to do, and no worker."""
    installed.add_pool()
    installed.wait_for_workers(0)
    yield installed
    installed.add_pool()
    installed.wait_for_workers(0)
