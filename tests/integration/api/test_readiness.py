"""`/readyz` on a real beanstalkd that stops accepting jobs."""

import signal
from pathlib import Path

import pytest
from tests.api.answering import answering
from tests.beanstalkd import Beanstalkd

from zerog.queue import connect_producer
from zerog.store import open_datastore
from zerog_api import routes
from zerog_api.core import readiness
from zerog_api.main import make_parts
from zerog_api.settings import ApiSettings


async def test_an_api_is_ready_while_its_queue_accepts_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "READY_SECONDS", 0)
    server = Beanstalkd()
    server.start()
    store = await open_datastore(f"sqlite:///{tmp_path / 'zerog.db'}")
    producer = await connect_producer(server.address)
    parts = make_parts(store, producer, ApiSettings())

    async with answering(routes(parts), parts.edge) as client:
        before = await client.get("/readyz")
        server.signal(signal.SIGUSR1)
        draining = await client.get("/readyz")
        server.stop()
        ended = await client.get("/readyz")

    assert before.json() == {"status": "ok", "datastore": "ok", "queue": "ok"}
    assert (draining.status_code, draining.json()["detail"]) == (503, "queue draining")
    assert (ended.status_code, ended.json()["detail"]) == (503, "queue unavailable")
    await producer.close()
    await store.close()
