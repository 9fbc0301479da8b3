"""The rule by which an index is chosen, and what a scan of it reads."""

import random
from collections.abc import Callable

import pytest
from tests.couchbase import planner
from tests.couchbase.indexes import Indexes
from tests.couchbase.planner import Plan
from tests.couchbase.sqlpp import CreateIndex, Row, Select
from tests.couchbase.sqlpp_parser import parse

PLACE = "`b`.`s`.`jobs`"
BY_KEY = f"CREATE INDEX `by_key` ON {PLACE}(META().id DESC, `state`, `queue`)"
BY_STATE = f"CREATE INDEX `by_state` ON {PLACE}(`state`, META().id DESC, `queue`)"
BY_QUEUE = f"CREATE INDEX `by_queue` ON {PLACE}(`queue`, META().id DESC, `state`)"
SLIM = f"CREATE INDEX `slim` ON {PLACE}(`state`, META().id DESC)"
PARTIAL = f"CREATE INDEX `partial` ON {PLACE}(`state`, `entry`) WHERE `entry` IS MISSING"
PRIMARY = f"CREATE PRIMARY INDEX `primary` ON {PLACE}"
OLDER = "WHERE j.`state` = $state AND META(j).id < $before"
NEWEST = "ORDER BY META(j).id DESC LIMIT $limit"
SEEDS = range(40)

Choose = Callable[..., dict[str, Plan]]


@pytest.fixture
def choose() -> Choose:
    """Return the plans that a query may get, by the name of the index."""

    def plans(where: str, *definitions: str, use: str = "") -> dict[str, Plan]:
        indexes = Indexes(lambda: 0.0)
        for definition in definitions:
            created = parse(definition)
            assert isinstance(created, CreateIndex)
            indexes.create(created)
        select = query(where, use)
        found = [
            planner.choose(select, indexes.online(select.keyspace), random.Random(seed))
            for seed in SEEDS
        ]
        return {plan.index.name: plan for plan in found if plan is not None}

    return plans


def query(where: str, use: str = "") -> Select:
    parsed = parse(f"SELECT RAW META(j).id FROM {PLACE} AS j {use} {where}")
    assert isinstance(parsed, Select)
    return parsed


def test_among_even_indexes_chance_decides(choose: Choose) -> None:
    assert set(choose(f"{OLDER} {NEWEST}", BY_KEY, BY_STATE)) == {"by_key", "by_state"}


def test_conditions_on_more_of_the_first_keys_decide_before_the_order_does(choose: Choose) -> None:
    where = f"{OLDER} AND j.`queue` IN $queues {NEWEST}"

    assert set(choose(where, BY_KEY, BY_STATE, SLIM)) == {"by_key", "by_state"}


def test_a_shorter_index_is_better(choose: Choose) -> None:
    assert set(choose(f"{OLDER} {NEWEST}", BY_STATE, SLIM)) == {"slim"}


def test_an_index_that_holds_all_is_better(choose: Choose) -> None:
    where = "WHERE j.`state` = $state AND j.`queue` > $queue"

    found = choose(where, f"CREATE INDEX `three` ON {PLACE}(`state`, `queue`)", SLIM)

    assert set(found) == {"three"}


@pytest.mark.parametrize("name", ["by_key", "by_state"])
def test_the_named_index_is_taken(choose: Choose, name: str) -> None:
    use = f"USE INDEX (`{name}` USING GSI)"

    assert set(choose(f"{OLDER} {NEWEST}", BY_KEY, BY_STATE, SLIM, use=use)) == {name}


@pytest.mark.parametrize("name", ["gone", "by_queue"])
def test_a_name_of_no_index_or_of_no_use_is_ignored(choose: Choose, name: str) -> None:
    use = f"USE INDEX (`{name}` USING GSI)"

    found = choose(f"{OLDER} {NEWEST}", BY_KEY, BY_STATE, BY_QUEUE, use=use)

    assert set(found) == {"by_key", "by_state"}


def test_a_partial_index_needs_its_condition(choose: Choose) -> None:
    assert choose("WHERE j.`state` = $state", PARTIAL) == {}
    assert set(choose("WHERE j.`state` = $state AND j.`entry` IS MISSING", PARTIAL)) == {"partial"}


def test_a_primary_index_is_the_last_resort(choose: Choose) -> None:
    assert set(choose("WHERE j.`state` = $state", PRIMARY, SLIM)) == {"slim"}
    assert set(choose("WHERE j.`queue` = $queue", PRIMARY, SLIM)) == {"primary"}


def test_what_an_index_lacks_is_read_from_the_documents(choose: Choose) -> None:
    assert choose(OLDER, SLIM)["slim"].covers
    assert not choose(f"{OLDER} AND j.`queue` = $queue", SLIM)["slim"].covers


@pytest.mark.parametrize(
    ("where", "ordered"),
    [
        (f"{OLDER} {NEWEST}", True),
        ("WHERE j.`state` IN $states AND META(j).id < $before " + NEWEST, False),
        (f"{OLDER} ORDER BY META(j).id LIMIT $limit", False),
    ],
)
def test_an_index_gives_the_order_behind_keys_of_one_value(
    choose: Choose, where: str, ordered: bool
) -> None:
    assert choose(where, SLIM)["slim"].ordered is ordered


@pytest.mark.parametrize(
    ("where", "scanned"),
    [
        (f"{OLDER} {NEWEST}", 3),
        (OLDER, 50),
        (f"{OLDER} ORDER BY META(j).id LIMIT $limit", 50),
        (f"{OLDER} AND j.`queue` = $queue {NEWEST}", 30),
    ],
    ids=["a page", "without a limit", "in another order", "with a filter"],
)
def test_a_scan_ends_at_the_limit_where_the_order_fits(
    choose: Choose, where: str, scanned: int
) -> None:
    rows = [
        Row(
            {"state": "ab"[number % 2], "queue": "q" if number % 20 == 0 else "r"},
            {"id": f"{number:03}"},
        )
        for number in range(200)
    ]
    parameters = {"$state": "a", "$before": "100", "$limit": 3, "$queue": "q"}

    _, found = planner.scan(choose(where, SLIM)["slim"], query(where), rows, parameters)

    assert found == scanned
