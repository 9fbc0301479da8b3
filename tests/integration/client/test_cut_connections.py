"""The Python clients over connections that break: repeated, and submitted once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.path.conftest import System, running_system

from zerog.client import AsyncClient, Client

from .cutting_proxy import CuttingProxy


@pytest.fixture(scope="module", params=["sqlite", "couchbase"])
def system(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[System]:
    """Beanstalkd, the API and a worker, on each store."""
    server = request.getfixturevalue("couchbase") if request.param == "couchbase" else None
    with running_system(System(tmp_path_factory.mktemp("system"), server)) as made:
        made.start_worker("--slots", "1")
        yield made


def test_a_job_whose_answer_was_lost_is_submitted_once(system: System) -> None:
    before = len(list(system.client.list()))
    with CuttingProxy(system.port, cut=3) as proxy, Client(proxy.url) as client:
        uuid = client.submit("Echo", {"value": "hello"})
        client.wait(uuid, timeout=30)

        assert client.data(uuid) == "hello"
        assert proxy.cut == 3
    assert len(list(system.client.list())) == before + 1


async def test_the_asynchronous_client_submits_once_too(system: System) -> None:
    before = len(list(system.client.list()))
    with CuttingProxy(system.port, cut=3) as proxy:
        async with AsyncClient(proxy.url) as client:
            uuid = await client.submit("Echo", {"value": "hello"})
            await client.wait(uuid, timeout=30)

            assert await client.data(uuid) == "hello"
        assert proxy.cut == 3
    assert len(list(system.client.list())) == before + 1


def test_a_batch_whose_answer_was_lost_is_submitted_once(system: System) -> None:
    before = len(list(system.client.list()))
    jobs = [{"type": "Echo", "parameters": {"value": number}} for number in range(5)]
    with CuttingProxy(system.port, cut=2) as proxy, Client(proxy.url) as client:
        uuids = client.submit_many(jobs)

        assert len(set(uuids)) == 5
    assert len(list(system.client.list())) == before + 5


def test_a_stream_that_is_cut_goes_on_where_it_was(system: System, tmp_path: Path) -> None:
    with CuttingProxy(system.port, cut=1) as proxy, Client(proxy.url) as client:
        uuid = system.client.submit("Echo", {"value": "hello"})

        events = list(client.stream(uuid))

        assert events
        assert proxy.cut == 1
    assert system.client.wait(uuid, timeout=30)["state"] == "succeeded"
