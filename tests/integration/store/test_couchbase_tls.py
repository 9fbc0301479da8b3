"""Couchbase over TLS, by password and by certificate, and by the addresses of another network."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import configure, new_scope
from tests.integration.store.renewed_login import WORKS, writer
from tests.store.opening import open_datastore

from zerog.model.errors import ConfigError, DatastoreError, DatastoreUnavailableError
from zerog.store.port import JobFilter
from zerog_tools.cluster.authority import Authority, Certificate

#: For what has to happen some time; these machines are sometimes very slow.
PATIENCE_SECONDS = 60.0
#: How long an attempt that cannot succeed may take.
SHORT_SECONDS = 3.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who has signed the server's certificate, and clients'."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    """The server's."""
    return authority.issue("server", "127.0.0.1")


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, certificate: Certificate
) -> Iterator[CouchbaseServer]:
    """Speaks TLS, and takes clients' certificates for logins."""
    options = ("--client-authority", str(authority.path))
    folder = tmp_path_factory.mktemp("tls")
    with CouchbaseServer(folder, *options, certificate=certificate) as made:
        yield made


@pytest.fixture(scope="module")
def strict(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, certificate: Certificate
) -> Iterator[CouchbaseServer]:
    """Lets nobody in who shows no certificate."""
    options = ("--client-authority", str(authority.path), "--client-certificate-required")
    folder = tmp_path_factory.mktemp("strict")
    with CouchbaseServer(folder, *options, certificate=certificate) as made:
        yield made


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, server: CouchbaseServer) -> None:
    configure(monkeypatch, server)


def trust(monkeypatch: pytest.MonkeyPatch, authority: Authority) -> None:
    monkeypatch.setenv("ZEROG_COUCHBASE_CA_PATH", str(authority.path))


def show(monkeypatch: pytest.MonkeyPatch, certificate: Certificate) -> None:
    """Log in by certificate alone."""
    monkeypatch.delenv("ZEROG_COUCHBASE_PASSWORD")
    monkeypatch.setenv("ZEROG_COUCHBASE_CERT_PATH", str(certificate.path))
    monkeypatch.setenv("ZEROG_COUCHBASE_KEY_PATH", str(certificate.key))


async def works(url: str, deadline_seconds: float = PATIENCE_SECONDS) -> None:
    """Write, read and list: the data service and the query service."""
    store = await open_datastore(url, deadline_seconds=deadline_seconds)
    try:
        await store.insert("jobs", "key", {"uuid": "key", "state": "queued"})
        listed = await store.list_jobs(JobFilter(states=["queued"]))
        assert [job.document["uuid"] for job in listed.jobs] == ["key"]
    finally:
        await store.close()


async def test_documents_and_queries_go_through_tls(
    server: CouchbaseServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(monkeypatch, authority)

    await works(server.tls_url(new_scope(server)))


#: Addresses in a server's certificate, and whether the SDK lets a connection to 127.0.0.1 take it
#: for the server's. A known difference: 4.6 looks only at who has signed it. Once the second is
#: False, certificates without each node's name stop working, as docs/howto/couchbase.md says.
TAKEN = {"127.0.0.1": True, "192.0.2.1": True}


@pytest.mark.parametrize(("named", "taken"), TAKEN.items())
async def test_whose_name_is_in_the_servers_certificate(
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: str,
    taken: bool,
) -> None:
    trust(monkeypatch, authority)
    certificate = authority.issue(f"server at {named}", named)

    with CouchbaseServer(tmp_path / "couchbase", certificate=certificate) as server:
        url = server.tls_url(new_scope(server))
        if taken:
            await works(url)
        else:
            with pytest.raises(DatastoreError):
                await works(url, SHORT_SECONDS)


async def test_a_server_of_an_unknown_authority_is_refused_and_the_setting_is_named(
    server: CouchbaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(monkeypatch, Authority(tmp_path, "stranger"))

    with pytest.raises(DatastoreUnavailableError, match="ZEROG_COUCHBASE_CA_PATH"):
        await open_datastore(server.tls_url(), deadline_seconds=SHORT_SECONDS)


async def test_without_an_authority_of_our_own_it_is_refused_too(server: CouchbaseServer) -> None:
    with pytest.raises(DatastoreUnavailableError, match="ZEROG_COUCHBASE_CA_PATH"):
        await open_datastore(server.tls_url(), deadline_seconds=SHORT_SECONDS)


async def test_a_wrong_password_is_told_over_tls_too(
    server: CouchbaseServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(monkeypatch, authority)
    monkeypatch.setenv("ZEROG_COUCHBASE_PASSWORD", "wrong")

    with pytest.raises(ConfigError, match="ZEROG_COUCHBASE_PASSWORD_FILE"):
        await open_datastore(server.tls_url(), deadline_seconds=PATIENCE_SECONDS)


async def test_a_certificate_is_a_login(
    strict: CouchbaseServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(monkeypatch, authority)
    show(monkeypatch, authority.issue("zerog"))

    await works(strict.tls_url(new_scope(strict), user=None))


async def test_a_certificate_of_nobody_is_refused(
    strict: CouchbaseServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(monkeypatch, authority)
    show(monkeypatch, authority.issue("nobody"))

    with pytest.raises(ConfigError, match="ZEROG_COUCHBASE_CERT_PATH"):
        await open_datastore(strict.tls_url(user=None), deadline_seconds=PATIENCE_SECONDS)


async def test_a_password_is_not_enough_where_certificates_are_required(
    strict: CouchbaseServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(monkeypatch, authority)

    with pytest.raises(DatastoreUnavailableError, match="wants a client certificate"):
        await open_datastore(strict.tls_url(), deadline_seconds=SHORT_SECONDS)


@pytest.mark.parametrize("wrong", ["CA", "CERT", "KEY"])
async def test_a_file_that_holds_something_else_is_told(
    server: CouchbaseServer,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
) -> None:
    trust(monkeypatch, authority)
    show(monkeypatch, authority.issue("zerog"))
    other = Authority(tmp_path).issue("other")
    files = {"CA": Path(__file__), "CERT": Path(__file__), "KEY": other.key}
    monkeypatch.setenv(f"ZEROG_COUCHBASE_{wrong}_PATH", str(files[wrong]))

    with pytest.raises(ConfigError, match="ZEROG_COUCHBASE_CA_PATH, …CERT_PATH or …KEY_PATH"):
        await open_datastore(server.tls_url(user=None), deadline_seconds=SHORT_SECONDS)


@pytest.mark.parametrize("missing", ["CA", "CERT", "KEY"])
async def test_a_file_that_is_not_there_is_named(
    server: CouchbaseServer, authority: Authority, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    trust(monkeypatch, authority)
    show(monkeypatch, authority.issue("zerog"))
    monkeypatch.setenv(f"ZEROG_COUCHBASE_{missing}_PATH", "/nowhere/at.pem")

    with pytest.raises(ConfigError, match=f"ZEROG_COUCHBASE_{missing}_PATH.*/nowhere/at.pem"):
        await open_datastore(server.tls_url(user=None), deadline_seconds=SHORT_SECONDS)


async def test_a_certificate_without_tls_says_what_to_write(
    server: CouchbaseServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(monkeypatch, authority.issue("zerog"))

    with pytest.raises(ConfigError, match="couchbases://"):
        await open_datastore(server.url(), deadline_seconds=SHORT_SECONDS)


async def test_a_certificate_that_changes_in_its_file_is_used_from_then_on(
    strict: CouchbaseServer,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trust(monkeypatch, authority)
    used = Certificate(tmp_path / "used.pem", tmp_path / "used.key")
    put(authority.issue("zerog"), used)
    show(monkeypatch, used)
    url = strict.tls_url(new_scope(strict), user=None)
    async with writer(url, SHORT_SECONDS) as process:

        async def is_let_in() -> bool:
            strict.cut_connections()
            return await process.write() == WORKS

        assert await is_let_in()
        put(authority.issue("somebody else"), used)
        await until(is_let_in, False)
        put(authority.issue("zerog"), used)
        await until(is_let_in, True)


def put(made: Certificate, used: Certificate) -> None:
    """Put a certificate and its key where another was."""
    shutil.copy(made.key, used.key)
    shutil.copy(made.path, used.path)


async def until(look: Callable[[], Awaitable[bool]], wanted: bool) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while await look() is not wanted:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[CouchbaseServer]:
    """Its nodes know each other by a name that leads nowhere from here."""
    options = ("--advertise", "node.invalid", "--external", "127.0.0.1")
    with CouchbaseServer(tmp_path / "far", *options) as made:
        yield made


async def test_the_network_says_by_which_addresses_nodes_are_asked(far: CouchbaseServer) -> None:
    url = far.url(new_scope(far))

    await works(f"{url}?network=external")
    with pytest.raises(DatastoreUnavailableError):
        await works(f"{url}?network=default", SHORT_SECONDS)
