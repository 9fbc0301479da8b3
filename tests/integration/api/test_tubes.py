"""The overview on a real beanstalkd in which a stranger has made tubes: of odd names, and many."""

from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import greenstalk
import httpx
import pytest
from tests.api.answering import answering
from tests.beanstalkd import Beanstalkd
from tests.integration.api.serving import job_type

from zerog.ledger.jobs import Jobs
from zerog.ledger.repair import repair_once
from zerog.ledger.stats import Stats
from zerog.ledger.tubes import MAX_QUEUES
from zerog.queue import connect_greenstalk, connect_producer
from zerog.store import open_datastore
from zerog.store.port import Datastore
from zerog_api import routes
from zerog_api.main import make_parts
from zerog_api.settings import ApiSettings

EVIL = "zerog.EVIL;$(x)"
#: More than any look may cost.
FOREIGN = 5_000


@pytest.fixture
def server() -> Iterator[Beanstalkd]:
    made = Beanstalkd()
    made.start()
    yield made
    made.kill()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Datastore]:
    made = await open_datastore(f"sqlite:///{tmp_path / 'zerog.db'}")
    await made.upsert("types", "Mail", job_type("Mail", "zz-mail"))
    yield made
    await made.close()


@pytest.fixture
async def api(server: Beanstalkd, store: Datastore) -> AsyncIterator[httpx.AsyncClient]:
    producer = await connect_producer(server.address)
    parts = make_parts(store, producer, ApiSettings())
    async with answering(routes(parts), parts.edge) as client:
        yield client
    await producer.close()


@pytest.fixture
def stranger(server: Beanstalkd) -> Iterator[greenstalk.Client[str]]:
    with greenstalk.Client(("127.0.0.1", server.port)) as client:
        yield client


def make(stranger: greenstalk.Client[str], tubes: Iterable[str]) -> None:
    """Make tubes that last: each holds an entry."""
    for tube in tubes:
        stranger.use(tube)
        stranger.put("x", delay=2**32 - 1)


async def names(api: httpx.AsyncClient) -> list[str]:
    answer = await api.get("/v1/queues")
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["queues"]]


async def test_a_tube_with_an_evil_name_blinds_nobody(
    api: httpx.AsyncClient, stranger: greenstalk.Client[str]
) -> None:
    make(stranger, [EVIL, "zerog.letters", "default-of-others"])

    assert await names(api) == ["letters", "zz-mail"]


async def test_thousands_of_tubes_cost_a_bounded_look_and_hide_no_queue_of_a_type(
    api: httpx.AsyncClient, stranger: greenstalk.Client[str]
) -> None:
    make(stranger, [f"zerog.a{number}" for number in range(FOREIGN)])
    before = stranger.stats()["cmd-stats-tube"]

    answer = (await api.get("/v1/queues")).json()

    found = [item["name"] for item in answer["queues"]]
    assert len(found) == MAX_QUEUES
    assert "zz-mail" in found
    assert answer["queuesLeftOut"] == FOREIGN + 1 - MAX_QUEUES
    assert stranger.stats()["cmd-stats-tube"] - before <= MAX_QUEUES


async def test_thousands_of_tubes_cost_repair_a_bounded_look(
    server: Beanstalkd, store: Datastore, stranger: greenstalk.Client[str]
) -> None:
    make(stranger, [EVIL, *(f"zerog.a{number}" for number in range(FOREIGN))])
    before = stranger.stats()["cmd-stats-tube"]
    queue = await connect_greenstalk(server.address)

    report = await repair_once(Jobs(store, Stats(store)), queue)

    assert report.failed == []
    assert stranger.stats()["cmd-stats-tube"] - before <= MAX_QUEUES
    await queue.close()


async def test_the_metrics_show_how_long_a_job_that_nobody_takes_has_been_due(
    api: httpx.AsyncClient, stranger: greenstalk.Client[str]
) -> None:
    make(stranger, ["zerog.letters"])
    answer = await api.post("/v1/jobs/Mail", json={})
    assert answer.status_code == 201, answer.text

    found = [
        line.split()
        for line in (await api.get("/metrics")).text.splitlines()
        if line.startswith("zerog_queue_next_job_waiting_seconds{")
    ]

    ((name, seconds),) = found
    assert name.endswith('{queue="zz-mail"}')
    assert float(seconds) > 0
