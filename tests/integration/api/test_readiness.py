"""`/readyz` on a real beanstalkd that stops accepting jobs."""

import json
import signal
from pathlib import Path

import pytest
from tests.beanstalkd import Beanstalkd
from tornado.httputil import HTTPHeaders

from zerog.queue import connect_producer
from zerog.store import open_datastore
from zerog_api.http import Request, Response
from zerog_api.problems import Problem
from zerog_api.system import Metrics, SystemCalls
from zerog_api.types import Types

PROBE = Request("GET", "/readyz", "", HTTPHeaders())


async def test_an_api_is_ready_while_its_queue_accepts_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zerog_api.system.READY_SECONDS", 0)
    server = Beanstalkd()
    server.start()
    store = await open_datastore(f"sqlite:///{tmp_path / 'zerog.db'}")
    producer = await connect_producer(server.address)
    calls = SystemCalls(store, producer, Types(store), Metrics())

    before = await calls.readyz(PROBE, {})
    server.signal(signal.SIGUSR1)
    with pytest.raises(Problem) as draining:
        await calls.readyz(PROBE, {})
    server.stop()
    with pytest.raises(Problem) as ended:
        await calls.readyz(PROBE, {})

    assert isinstance(before, Response)
    assert json.loads(before.body) == {"status": "ok", "datastore": "ok", "queue": "ok"}
    assert (draining.value.status, draining.value.detail) == (503, "queue draining")
    assert (ended.value.status, ended.value.detail) == (503, "queue unavailable")
    await producer.close()
    await store.close()
