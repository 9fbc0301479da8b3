"""pytest fixtures over the imitated Couchbase and gocaves; `tests/conftest.py` gives them to all.

There is one server for all tests of a process, `couchbase`; what a test does to it as
`couchbase_server` with faults is undone after the test. A test that kills makes a server of
its own: `with CouchbaseServer(tmp_path) as server`. `gocaves` is skipped where nothing can be
built, and fails in CI: a missing part must not look like a passed test.
"""

from collections.abc import Iterator

import pytest
from tests.cluster.fixtures import skip_or_fail
from tests.couchbase.gocaves import Gocaves
from tests.couchbase.process import CouchbaseServer

from zerog_tools.cluster.binaries import BuildError
from zerog_tools.cluster.go import GoMissingError


@pytest.fixture(scope="session")
def couchbase(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CouchbaseServer]:
    """The server as it is, for tests that break nothing in it; each has a scope of its own."""
    with CouchbaseServer(tmp_path_factory.mktemp("couchbase")) as server:
        yield server


@pytest.fixture
def couchbase_server(couchbase: CouchbaseServer) -> Iterator[CouchbaseServer]:
    """The same, in which everything goes right until the test says otherwise."""
    yield couchbase
    couchbase.thaw()
    couchbase.clear_faults()
    couchbase.make_index_stale(False)
    couchbase.behave()
    couchbase.make_durability_possible(True)


@pytest.fixture(scope="session")
def gocaves(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gocaves]:
    """Couchbase's own mock of its data service: a second opinion."""
    try:
        with Gocaves(tmp_path_factory.mktemp("gocaves")) as server:
            yield server
    except (GoMissingError, BuildError) as error:
        skip_or_fail(str(error))
