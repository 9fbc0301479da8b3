"""The query endpoint answers the adapter's statements, wholly, and only with an index for them."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.couchbase.engine import VBUCKET_UUID, Address, Engine, Write, vbucket_of
from tests.couchbase.faults import Fault
from tests.couchbase.http import CloseConnection, HttpRequest
from tests.couchbase.indexes import Indexes
from tests.couchbase.query import QueryService
from tests.couchbase.session import Bucket
from tests.unit.couchbase.conftest import StandingClock

JOBS = "`zerog`.`zerog`.`jobs`"
BY_KEY = (
    f"CREATE INDEX `by_key` IF NOT EXISTS ON {JOBS}"
    "(META().id DESC, `state`, `type`, `queue`, `changedTime`, META().expiration)"
)
BY_STATE = f"CREATE INDEX `by_state` IF NOT EXISTS ON {JOBS}(`state`, META().id DESC)"
LIST = f"SELECT RAW META(j).id FROM {JOBS} AS j WHERE META(j).id < $before "
NEWEST = "ORDER BY META(j).id DESC LIMIT $limit"
STATES = (
    "SELECT i.name, i.state FROM system:indexes AS i "
    "WHERE i.bucket_id = $bucket AND i.scope_id = $scope"
)
DEFERRED = ' WITH {"defer_build": true, "num_replica": 1}'

Ask = Callable[..., Any]


class Asker:
    """Asks the service as the SDK does and checks what its core reads of every answer."""

    def __init__(self, service: QueryService) -> None:
        self.service = service

    async def send(self, statement: str, **parameters: object) -> tuple[int, dict[str, Any]]:
        body = {"statement": statement, "client_context_id": "me", **parameters}
        request = HttpRequest(
            "POST", "/query/service", json.dumps(body).encode(), "zerog", "secret"
        )
        response = await self.service.handle(request)
        answer = json.loads(response.body)
        assert answer["clientContextID"] == "me"
        metrics = answer["metrics"]
        assert metrics["resultCount"] == len(answer["results"])
        assert metrics["resultSize"] >= 0
        assert metrics["elapsedTime"].endswith("µs")
        assert metrics["executionTime"].endswith("µs")
        assert (answer["status"] == "success") is ("errors" not in answer)
        return response.status, answer

    async def __call__(self, statement: str, **parameters: object) -> list[Any]:
        _, answer = await self.send(statement, **parameters)
        assert answer["status"] == "success", answer
        results = answer["results"]
        assert isinstance(results, list)
        return results

    async def code(self, statement: str, **parameters: object) -> int:
        status, answer = await self.send(statement, **parameters)
        assert status >= 400
        return int(answer["errors"][0]["code"])


@pytest.fixture
def indexes(clock: StandingClock) -> Indexes:
    return Indexes(clock, build_seconds=2.0)


@pytest.fixture
def ask(bucket: Bucket, indexes: Indexes, named: Callable[[bytes], Address]) -> Asker:
    return Asker(QueryService(bucket, indexes, lambda: None))


@pytest.fixture
def store(engine: Engine, named: Callable[[bytes], Address]) -> Callable[..., int]:
    """Stores a job and returns its sequence number."""

    def put(key: str, expiry: int = 0, **fields: str) -> int:
        value = json.dumps(fields).encode()
        return engine.upsert(named(key.encode()), Write(value, expiry=expiry)).seqno

    return put


@pytest.fixture
async def indexed(ask: Asker) -> Asker:
    await ask(BY_KEY)
    await ask(BY_STATE)
    return ask


async def test_keys_come_newest_first_below_the_cursor(
    indexed: Asker, store: Callable[..., int]
) -> None:
    for key in ("1", "3", "2", "4"):
        store(key)

    assert await indexed(LIST + NEWEST, **{"$before": "4", "$limit": 2}) == ["3", "2"]


@pytest.mark.parametrize(
    ("condition", "parameters", "expected"),
    [
        ("j.`state` = $lead", {"$lead": "queued"}, ["2", "1"]),
        ("j.`state` = $lead", {"$lead": "gone"}, []),
        ("j.`type` IN $types", {"$types": ["mail", "x"]}, ["3", "2"]),
        ("j.`type` IN $types", {"$types": []}, []),
        ("j.`changedTime` < $changed", {"$changed": "2026-01-02"}, ["1"]),
        ("j.`nothing` = $lead", {"$lead": "x"}, []),
        (
            "(j.`state` = $lead OR j.`type` = $type)",
            {"$lead": "failed", "$type": "mail"},
            ["3", "2"],
        ),
    ],
)
async def test_conditions_select(
    indexed: Asker,
    store: Callable[..., int],
    condition: str,
    parameters: dict[str, object],
    expected: list[str],
) -> None:
    store("1", state="queued", type="film", changedTime="2026-01-01")
    store("2", state="queued", type="mail", changedTime="2026-01-02")
    store("3", state="failed", type="mail", changedTime="2026-01-03")

    found = await indexed(
        f"{LIST} AND {condition} {NEWEST}", **{"$before": "9", "$limit": 9, **parameters}
    )

    assert found == expected


async def test_what_has_expired_is_counted_until_it_is_purged_or_left_out(
    indexed: Asker, store: Callable[..., int], clock: StandingClock, engine: Engine
) -> None:
    store("1")
    store("2", expiry=60)
    clock.now += 61
    count = f"SELECT RAW COUNT(*) FROM {JOBS} AS j WHERE META(j).id < $before"
    live = " AND (META(j).expiration = 0 OR META(j).expiration > $now)"
    parameters = {"$before": "9", "$now": int(clock.now)}

    assert await indexed(count, **parameters) == [2]
    assert await indexed(count + live, **parameters) == [1]
    engine.purge()
    assert await indexed(count, **parameters) == [1]


async def test_without_an_index_for_it_a_query_is_refused(
    ask: Asker, store: Callable[..., int]
) -> None:
    everything = f"SELECT RAW META(d).id FROM {JOBS} AS d"
    store("1")

    assert await ask.code(LIST + NEWEST, **{"$before": "9", "$limit": 9}) == 4000
    await ask(BY_STATE)
    assert await ask.code(LIST + NEWEST, **{"$before": "9", "$limit": 9}) == 4000
    assert await ask.code(everything) == 4000
    await ask(f"CREATE PRIMARY INDEX `all` IF NOT EXISTS ON {JOBS}")
    assert await ask(everything) == ["1"]


async def test_a_deferred_index_is_of_use_once_it_is_built(
    ask: Asker, clock: StandingClock
) -> None:
    where = {"$bucket": "zerog", "$scope": "zerog"}
    parameters = {"$before": "9", "$limit": 9}
    await ask(BY_KEY + DEFERRED)
    assert await ask(STATES, **where) == [{"name": "by_key", "state": "deferred"}]

    await ask(f"BUILD INDEX ON {JOBS}(`by_key`)")
    assert await ask(STATES, **where) == [{"name": "by_key", "state": "building"}]
    assert await ask.code(LIST + NEWEST, **parameters) == 4000
    assert await ask.code(f"BUILD INDEX ON {JOBS}(`by_key`)") == 5000

    clock.now += 2
    assert await ask(STATES, **where) == [{"name": "by_key", "state": "online"}]
    assert await ask(LIST + NEWEST, **parameters) == []


async def test_definitions_may_be_repeated_where_they_say_so(ask: Asker) -> None:
    await ask(BY_KEY)
    await ask(BY_KEY)

    assert await ask.code(BY_KEY.replace("IF NOT EXISTS ", "")) == 4300


async def test_a_dropped_index_is_gone(indexed: Asker) -> None:
    await indexed(f"DROP INDEX `by_key` ON {JOBS}")

    assert await indexed.code(LIST + NEWEST, **{"$before": "9", "$limit": 9}) == 4000
    assert await indexed.code(f"DROP INDEX `by_key` ON {JOBS}") == 12016


async def test_a_late_index_shows_what_was(indexed: Asker, store: Callable[..., int]) -> None:
    query, parameters = LIST + NEWEST, {"$before": "9", "$limit": 9}
    store("1")
    indexed.service.set_stale(True)
    store("2")

    assert await indexed(query, **parameters) == ["1"]
    assert await indexed(query, scan_consistency="request_plus", **parameters) == ["2", "1"]
    assert await indexed(query, **parameters) == ["2", "1"]
    store("3")
    indexed.service.set_stale(False)
    assert await indexed(query, **parameters) == ["3", "2", "1"]


async def test_a_late_index_catches_up_with_a_mutation_that_is_named(
    indexed: Asker, store: Callable[..., int]
) -> None:
    query, parameters = LIST + NEWEST, {"$before": "9", "$limit": 9}
    first = store("1")
    indexed.service.set_stale(True)
    second = store("1", state="x")
    store("2")

    async def at(seqno: int) -> list[Any]:
        vector = {"zerog": {str(vbucket_of(b"1")): [seqno, str(VBUCKET_UUID)]}}
        return await indexed(query, scan_consistency="at_plus", scan_vectors=vector, **parameters)

    assert await at(first) == ["1"]
    assert await at(second) == ["2", "1"]


async def test_a_prepared_statement_runs_by_its_name(
    indexed: Asker, store: Callable[..., int]
) -> None:
    store("1")
    parameters = {"$before": "9", "$limit": 9}
    _, first = await indexed.send(f"PREPARE {LIST}{NEWEST}", auto_execute=True, **parameters)

    again = await indexed("", prepared=first["prepared"], **parameters)

    assert first["results"] == again == ["1"]
    assert await indexed.code("", prepared="another") == 4040


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELEKT 1", 3000),
        (LIST + "ORDER", 3000),
        (LIST + "; DROP", 3000),
        ("SELECT RAW META(x).id FROM `a`.`b`.`c` AS y", 3000),
        ("SELECT RAW META(j).id FROM `zerog`.`zerog`.`nope` AS j", 12003),
        ("SELECT RAW META(j).id FROM `zerog`.`nope`.`jobs` AS j", 12003),
        ("SELECT RAW META(j).id FROM `nope`.`zerog`.`jobs` AS j", 12003),
        (f"{LIST} {NEWEST}", 5010),
    ],
)
async def test_a_wrong_statement_has_its_code(
    indexed: Asker, store: Callable[..., int], statement: str, code: int
) -> None:
    store("1")

    assert await indexed.code(statement) == code


async def test_a_wrong_password_is_refused(ask: Asker) -> None:
    request = HttpRequest("POST", "/query/service", b"{}", "zerog", "wrong")

    response = await ask.service.handle(request)

    assert response.status == 401
    assert json.loads(response.body)["metrics"]["resultCount"] == 0


async def test_faults_meet_queries_too(
    indexed: Asker, bucket: Bucket, store: Callable[..., int]
) -> None:
    parameters = {"$before": "9", "$limit": 9}
    bucket.faults.add(Fault("status", status=5000, opcode="QUERY"))
    bucket.faults.add(Fault("close", opcode="QUERY", collection="jobs"))
    bucket.faults.add(Fault("close", opcode="QUERY", collection="other"))

    assert await indexed.code(LIST + NEWEST, **parameters) == 5000
    with pytest.raises(CloseConnection):
        await indexed(LIST + NEWEST, **parameters)
    assert await indexed(LIST + NEWEST, **parameters) == []
    assert bucket.counters["QUERY"] == 5


def test_credentials_are_read_as_the_sdk_sends_them() -> None:
    from tests.couchbase.http import _credentials

    login = base64.b64encode(b"me:a:b").decode()

    assert _credentials(f"Basic {login}") == ("me", "a:b")
    assert _credentials("Bearer x") == ("", "")
