"""The management endpoints answer in the words by which the SDK tells what is wrong."""

import json
from collections.abc import Callable

import pytest
from tests.couchbase.engine import Address, Engine, Write
from tests.couchbase.http import HttpRequest, HttpResponse
from tests.couchbase.indexes import Indexes
from tests.couchbase.management import Management
from tests.couchbase.session import Bucket
from tests.unit.couchbase.conftest import StandingClock

BUCKET = "/pools/default/buckets/zerog"


class Administrator:
    def __init__(self, bucket: Bucket, indexes: Indexes) -> None:
        self.changes = 0
        self._management = Management(bucket, indexes, self._count)

    def _count(self) -> None:
        self.changes += 1

    async def ask(
        self, method: str, path: str, form: str = "", password: str = "secret"
    ) -> HttpResponse:
        request = HttpRequest(method, path, form.encode(), "zerog", password)
        return await self._management.handle(request)

    async def code(self, method: str, path: str, form: str = "") -> int:
        return (await self.ask(method, path, form)).status


@pytest.fixture
def administrator(bucket: Bucket, clock: StandingClock) -> Administrator:
    return Administrator(bucket, Indexes(clock))


async def test_scopes_and_collections_are_made_listed_and_dropped(
    administrator: Administrator,
) -> None:
    made = await administrator.ask("POST", f"{BUCKET}/scopes", "name=s")
    assert int(json.loads(made.body)["uid"], 16) > 1
    assert await administrator.code("POST", f"{BUCKET}/scopes/s/collections", "name=c") == 200
    listed = json.loads((await administrator.ask("GET", f"{BUCKET}/scopes")).body)

    scopes = {scope["name"]: scope["collections"] for scope in listed["scopes"]}
    assert [collection["name"] for collection in scopes["s"]] == ["c"]
    for number in (listed["uid"], *(scope["uid"] for scope in listed["scopes"])):
        int(number, 16)
    assert await administrator.code("DELETE", f"{BUCKET}/scopes/s/collections/c") == 200
    assert administrator.changes == 3


async def test_a_dropped_collection_takes_its_documents_along(
    administrator: Administrator, engine: Engine, named: Callable[[bytes], Address]
) -> None:
    engine.insert(named(b"a"), Write(b"1"))
    engine.insert(Address(0, b"a"), Write(b"1"))

    await administrator.ask("DELETE", f"{BUCKET}/scopes/zerog/collections/jobs")

    assert list(engine.documents) == [Address(0, b"a")]


@pytest.mark.parametrize(
    ("method", "path", "form", "status", "text"),
    [
        ("POST", f"{BUCKET}/scopes", "name=zerog", 400, "Scope with name"),
        ("POST", f"{BUCKET}/scopes", "name=zerog", 400, "already exists"),
        ("POST", f"{BUCKET}/scopes", "", 400, "name"),
        ("POST", f"{BUCKET}/scopes/zerog/collections", "name=jobs", 400, "Collection with name"),
        ("POST", f"{BUCKET}/scopes/zerog/collections", "name=jobs", 400, "already exists"),
        ("POST", f"{BUCKET}/scopes/zerog/collections", "name=x&maxTTL=y", 400, "maxTTL"),
        ("POST", f"{BUCKET}/scopes/nope/collections", "name=c", 404, "Scope with name"),
        ("POST", f"{BUCKET}/scopes/nope/collections", "name=c", 404, "is not found"),
        ("DELETE", f"{BUCKET}/scopes/zerog/collections/x", "", 404, "is not found"),
        ("GET", "/pools/default/buckets/other/scopes", "", 404, "not found"),
        ("GET", "/nothing", "", 404, "found"),
        ("DELETE", f"{BUCKET}/scopes", "", 405, "not allowed"),
    ],
)
async def test_what_cannot_be_done_is_said_in_the_servers_words(
    administrator: Administrator,
    named: Callable[[bytes], Address],
    method: str,
    path: str,
    form: str,
    status: int,
    text: str,
) -> None:
    response = await administrator.ask(method, path, form)

    assert response.status == status
    assert text in response.body.decode().replace('\\"', '"')


async def test_nothing_is_done_without_the_password(administrator: Administrator) -> None:
    response = await administrator.ask("POST", f"{BUCKET}/scopes", "name=s", password="wrong")

    assert response.status == 401
    assert administrator.changes == 0


async def test_the_map_is_shown_by_http_too(administrator: Administrator) -> None:
    found = json.loads((await administrator.ask("GET", "/pools/default/b/zerog")).body)

    assert found["name"] == "zerog"
    assert await administrator.code("GET", "/pools/default/nodeServices") == 200


async def test_never_is_no_longest_ttl(
    administrator: Administrator, engine: Engine, named: Callable[[bytes], Address]
) -> None:
    form = "name=x&maxTTL=-1"

    assert await administrator.code("POST", f"{BUCKET}/scopes/zerog/collections", form) == 200
    assert engine.manifest.find("zerog", "x").max_ttl == 0
