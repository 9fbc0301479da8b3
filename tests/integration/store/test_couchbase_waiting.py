"""A patient caller's store, opened while Couchbase is away or not as it should be."""

import asyncio
import logging
import time
from pathlib import Path

import pytest
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import configure, new_scope
from tests.store.opening import open_datastore

from zerog.model.errors import ConfigError, DatastoreUnavailableError
from zerog.privatefile import write_private
from zerog.store.port import Datastore

#: How long an attempt may take that cannot succeed, and what has to happen some time.
SHORT_SECONDS, PATIENCE_SECONDS = 1.0, 60.0


async def until_it_works(store: Datastore) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await store.ready()
        except DatastoreUnavailableError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def until_it_says(caplog: pytest.LogCaptureFixture, text: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while text not in caplog.text:
        assert time.monotonic() < deadline, caplog.text
        await asyncio.sleep(0.05)


async def test_it_is_unavailable_at_once_and_works_when_couchbase_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A login that is refused meanwhile is tried again: a server that starts does not know its
    users yet, and a password's file may change."""
    caplog.set_level(logging.INFO)
    with CouchbaseServer(tmp_path / "couchbase") as server:
        password = tmp_path / "password"
        write_private(password, "not the one")
        monkeypatch.setenv("ZEROG_COUCHBASE_PASSWORD_FILE", str(password))
        url = server.url(new_scope(server))
        server.kill()

        store = await open_datastore(url, deadline_seconds=SHORT_SECONDS, patient=True)
        with pytest.raises(DatastoreUnavailableError, match="cannot be reached"):
            await store.get("jobs", "key")
        await until_it_says(caplog, "waiting for the datastore: couchbase://")
        server.start()
        await until_it_says(caplog, "refuses the login")
        password.write_text(server.password)

        await until_it_works(store)
        assert await store.insert("jobs", "key", {"n": 1})
        assert "connected to couchbase://" in caplog.text
        await store.close()


async def test_it_can_be_closed_before(
    couchbase: CouchbaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, couchbase)
    nowhere = couchbase.url().replace(f":{couchbase.kv}", ":1")

    store = await open_datastore(nowhere, deadline_seconds=SHORT_SECONDS, patient=True)
    await store.close()

    with pytest.raises(DatastoreUnavailableError, match="closed"):
        await store.ready()


async def test_a_bucket_that_is_not_there_is_waited_for_and_named(
    couchbase: CouchbaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be made a moment later, as by the Couchbase operator on Kubernetes."""
    configure(monkeypatch, couchbase)
    url = couchbase.url().replace("/zerog/", "/nothing/")

    store = await open_datastore(url, deadline_seconds=PATIENCE_SECONDS, patient=True)

    with pytest.raises(DatastoreUnavailableError, match=r"has no bucket nothing \(yet\)"):
        await store.ready()
    await store.close()


async def test_a_login_that_is_refused_at_the_first_try_is_refused_to_the_patient_too(
    couchbase: CouchbaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZEROG_COUCHBASE_PASSWORD", "wrong")

    with pytest.raises(ConfigError, match="refuses the login"):
        await open_datastore(couchbase.url(), deadline_seconds=PATIENCE_SECONDS, patient=True)
