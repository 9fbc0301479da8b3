"""`zerog datastore init` and `check`, as an administrator uses them, on the imitated Couchbase."""

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import configure, new_scope, query

from zerog.cli.main import main
from zerog.store.couchbase.connection import ALL_COLLECTIONS
from zerog.store.couchbase.statements import indexes

#: The query service's code for a user without the role.
NOT_ALLOWED = 13014


@pytest.fixture
def url(couchbase: CouchbaseServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """A scope that is not there yet."""
    configure(monkeypatch, couchbase)
    return couchbase.url(f"new{secrets.token_hex(4)}")


def call(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """Call `zerog datastore` and return what it printed."""
    assert main(["datastore", *arguments]) == code
    return capsys.readouterr().out


def test_a_bucket_without_anything_is_told_of_everything_and_how_to_make_it(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = call(capsys, "check", "--store", url, code=1)

    assert "the scope is missing" in said
    for name in ALL_COLLECTIONS:
        assert f"the collection {name} is missing\n    CREATE COLLECTION `zerog`." in said
    for index in indexes():
        assert f"the index {index.name} is missing\n    CREATE " in said


def test_what_init_makes_is_what_check_asks_for(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = call(capsys, "init", "--store", url)

    assert said.count("made the collection") == len(ALL_COLLECTIONS)
    assert said.count("defined the index") == len(indexes())
    assert call(capsys, "check", "--store", url) == (
        "nothing is missing: scope, collections and indexes exist\n"
    )


def test_init_may_be_repeated_and_then_makes_nothing(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, "init", "--store", url)

    assert call(capsys, "init", "--store", url) == "all indexes are online\n"


def test_an_index_that_no_statement_reads_any_more_is_named_and_dropped(
    couchbase: CouchbaseServer, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, "init", "--store", url)
    jobs = f"`{couchbase.bucket}`.`{url.rpartition('/')[2]}`.`jobs`"
    for name in ("zerog_jobs_by_key", "somebody_elses"):
        query(couchbase, f"CREATE INDEX `{name}` ON {jobs}(`state`)")

    found = json.loads(call(capsys, "check", "--store", url, "--json", code=1))

    assert found == [
        {
            "problem": "the index zerog_jobs_by_key is no longer used, and costs writes",
            "fix": f"DROP INDEX `zerog_jobs_by_key` IF EXISTS ON {jobs}",
        }
    ]
    assert "dropped the index zerog_jobs_by_key" in call(capsys, "init", "--store", url)
    assert "nothing is missing" in call(capsys, "check", "--store", url)


def test_several_may_init_at_once(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(3) as threads:
        codes = list(threads.map(lambda _: main(["datastore", "init", "--store", url]), range(3)))

    assert codes == [0, 0, 0]
    call(capsys, "check", "--store", url)


def test_init_goes_on_where_one_was_broken_off(
    couchbase: CouchbaseServer, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scope = url.rpartition("/")[2]
    couchbase.create_collections(scope, "jobs", "progress")

    said = call(capsys, "init", "--store", url)

    assert said.count("made the collection") == len(ALL_COLLECTIONS) - 2
    call(capsys, "check", "--store", url)


def test_without_a_query_service_no_index_is_asked_for(
    couchbase: CouchbaseServer,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(monkeypatch, couchbase, listing="kv")

    assert "INDEX" not in call(capsys, "init", "--store", url, "--dry-run")
    assert "index" not in call(capsys, "init", "--store", url)
    call(capsys, "check", "--store", url)


def test_a_dry_run_prints_statements_and_makes_nothing(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = call(capsys, "init", "--store", url, "--dry-run").splitlines()

    assert all(line.startswith(("CREATE ", "BUILD INDEX ")) for line in lines)
    assert all(line.endswith(";") for line in lines)
    assert "the scope is missing" in call(capsys, "check", "--store", url, code=1)


def test_a_missing_index_is_named_with_its_statement(
    couchbase: CouchbaseServer, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = couchbase.url(new_scope(couchbase, queries=False))

    assert main(["datastore", "check", "--store", bare, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)

    assert [item["problem"] for item in found] == [
        f"the index {index.name} is missing" for index in indexes()
    ]


def test_a_user_who_may_not_look_at_indexes_is_told_of_the_roles(
    couchbase_server: CouchbaseServer, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, "init", "--store", url)
    couchbase_server.add_fault("status", status=NOT_ALLOWED, opcode="QUERY")

    said = call(capsys, "check", "--store", url, code=1)

    assert "indexes: " in said
    assert "give the user the roles data_reader[zerog:" in said
    assert "query_list_index[zerog:" in said
    assert "scope_admin[zerog]" in said


@pytest.fixture(scope="module")
def restricted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CouchbaseServer]:
    """Its user `worker` reads and writes documents, and may do nothing else."""
    options = ("--second-user", "worker", "--second-user-restricted")
    with CouchbaseServer(tmp_path_factory.mktemp("restricted"), *options) as server:
        yield server


def test_what_a_user_may_not_list_is_not_called_missing(
    restricted: CouchbaseServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(monkeypatch, restricted)
    url = restricted.url(new_scope(restricted))
    call(capsys, "check", "--store", url)

    said = call(capsys, "check", "--store", url.replace("zerog@", "worker@"), code=1)

    assert "collections: not seen: the user may not list them" in said
    assert "indexes: not seen: the user may not list them" in said
    assert "missing" not in said


def test_a_user_who_may_not_make_a_scope_is_told_of_the_role_on_the_bucket(
    restricted: CouchbaseServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(monkeypatch, restricted)
    url = restricted.url("new").replace("zerog@", "worker@")

    assert main(["datastore", "init", "--store", url]) == 1

    assert "scope_admin[zerog]" in capsys.readouterr().err


def test_a_user_who_may_not_define_indexes_is_told_the_statement(
    couchbase_server: CouchbaseServer, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # The first query looks at the indexes, the second defines one.
    couchbase_server.add_fault("status", status=NOT_ALLOWED, opcode="QUERY", skip=1)

    assert main(["datastore", "init", "--store", url]) == 1

    assert "zerog: error: refused: CREATE INDEX `zerog_jobs_newest`" in capsys.readouterr().err


def test_sqlite_needs_nothing(capsys: pytest.CaptureFixture[str], tmp_path: object) -> None:
    assert "needs nothing more" in call(capsys, "check", "--store", f"sqlite:///{tmp_path}/z.db")
