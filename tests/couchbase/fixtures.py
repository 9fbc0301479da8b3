"""pytest fixtures over the imitated Couchbase and gocaves; `tests/conftest.py` gives them to all.

`couchbase_server` is one server for all tests of a process; whatever a test does to it with
faults is undone after the test. A test that kills or freezes makes a server of its own:
`with CouchbaseServer(tmp_path) as server`. `gocaves` is skipped where nothing can be built,
and fails in CI: a missing part must not look like a passed test.
"""

from collections.abc import Iterator

import pytest
from tests.cluster.binaries import BuildError
from tests.cluster.fixtures import skip_or_fail
from tests.cluster.go import GoMissingError
from tests.couchbase.gocaves import Gocaves
from tests.couchbase.process import CouchbaseServer


@pytest.fixture(scope="session")
def _couchbase_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CouchbaseServer]:
    with CouchbaseServer(tmp_path_factory.mktemp("couchbase")) as server:
        yield server


@pytest.fixture
def couchbase_server(_couchbase_server: CouchbaseServer) -> Iterator[CouchbaseServer]:
    """A server in which everything goes right until the test says otherwise."""
    yield _couchbase_server
    _couchbase_server.clear_faults()
    _couchbase_server.make_index_stale(False)
    _couchbase_server.make_durability_possible(True)


@pytest.fixture(scope="session")
def gocaves(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gocaves]:
    """Couchbase's own mock of its data service: a second opinion."""
    try:
        with Gocaves(tmp_path_factory.mktemp("gocaves")) as server:
            yield server
    except (GoMissingError, BuildError) as error:
        skip_or_fail(str(error))
