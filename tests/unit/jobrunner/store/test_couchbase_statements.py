"""The SQL++ of the adapter: what is asked, and that indexes answer it."""

import re

import pytest

from zerog.model.record import State
from zerog.store.couchbase import openjobs, plans, statements
from zerog.store.couchbase.statements import Index, Keyspace, Query
from zerog.store.filtering import LAST
from zerog.store.port import JobFilter

PLACE = Keyspace("b", "s")
STATES = tuple(State)
MANY = [f"v{number}" for number in range(60)]
FILTERS = [
    JobFilter(),
    JobFilter(states=["queued"]),
    JobFilter(types=["T"], queues=["q", "r"]),
    JobFilter(queues=["q"]),
    JobFilter(states=["queued", "running"], types=["T"], queues=["q"]),
    JobFilter(types=MANY, queues=MANY),
]


def every_query(job_filter: JobFilter) -> list[Query]:
    listed = statements.list_keys(PLACE, job_filter, before=LAST, limit=10)
    return listed + statements.count(PLACE, job_filter, now=1)


def runs(job_filter: JobFilter, *, counting: bool = False) -> list[tuple[str, tuple[str, ...]]]:
    selections = plans.select(job_filter, counting=counting)
    return [(selection.index.name, selection.values) for selection in selections]


def test_a_listing_without_a_filter_is_one_statement_with_one_row() -> None:
    assert statements.list_keys(PLACE, JobFilter(), before="k", limit=3) == [
        Query(
            "SELECT RAW [(SELECT RAW META(j).id FROM `b`.`s`.`jobs` AS j "
            "USE INDEX (`zerog_jobs_newest` USING GSI) WHERE META(j).id < $before "
            "ORDER BY META(j).id DESC LIMIT $limit)]",
            {"before": "k", "limit": 3},
        )
    ]


@pytest.mark.parametrize(
    ("job_filter", "index", "values"),
    [
        (JobFilter(), "newest", [()]),
        (JobFilter(queues=["q", "r", "q"]), "of_queue", [("q",), ("r",)]),
        (JobFilter(states=["failed", "queued"]), "in_state", [("failed",), ("queued",)]),
        (JobFilter(states=["failed"], types=["T"]), "of_type", [("T", "failed")]),
        (JobFilter(types=["T"]), "of_type", [("T", state) for state in STATES]),
        (JobFilter(states=["failed"], queues=["q"]), "in_queue", [("q", "failed")]),
        (
            JobFilter(states=["failed"], types=["T", "U"], queues=["q"]),
            "of_queue_and_type",
            [("q", "T", "failed"), ("q", "U", "failed")],
        ),
    ],
    ids=str,
)
def test_each_combination_of_filters_has_an_index_that_begins_with_it(
    job_filter: JobFilter, index: str, values: list[tuple[str, ...]]
) -> None:
    assert runs(job_filter) == [(f"zerog_jobs_{index}", value) for value in values]


@pytest.mark.parametrize(
    ("job_filter", "index"),
    [
        (JobFilter(states=["failed"], types=MANY, queues=MANY), "in_state"),
        (JobFilter(types=MANY, queues=MANY), "newest"),
        (JobFilter(queues=[*MANY, *(name * 2 for name in MANY)]), "newest"),
    ],
    ids=["with a state", "without", "queues"],
)
def test_what_would_be_too_many_runs_is_one_that_is_filtered(
    job_filter: JobFilter, index: str
) -> None:
    (selection,) = plans.select(job_filter)

    assert selection.index.name == f"zerog_jobs_{index}"
    assert {name for name, _ in selection.among} <= set(selection.index.further)


def test_the_selections_of_a_call_are_spread_over_a_few_statements() -> None:
    queries = statements.list_keys(PLACE, JobFilter(queues=MANY), before="k", limit=3)

    assert len(queries) == statements.MAX_STATEMENTS
    assert sum(query.text.count("(SELECT") for query in queries) == len(MANY)


@pytest.mark.parametrize("job_filter", FILTERS, ids=repr)
def test_values_are_parameters_and_every_parameter_is_used(job_filter: JobFilter) -> None:
    for query in every_query(job_filter):
        assert set(re.findall(r"\$(\w+)", query.text)) == set(query.parameters)
        assert not re.search(r"queued|running|'|\"|2026", query.text)


@pytest.mark.parametrize("job_filter", FILTERS, ids=repr)
def test_every_part_of_a_statement_is_covered_by_the_index_that_it_names(
    job_filter: JobFilter,
) -> None:
    indexes = {index.name: index for index in statements.indexes()}
    for query in every_query(job_filter):
        for part in query.text.split("(SELECT")[1:]:
            (name,) = re.findall(r"USE INDEX \(`(\w+)` USING GSI\)", part)
            keys = [key.removesuffix(" DESC").strip("`") for key in indexes[name].keys or ()]
            used = [*re.findall(r"j\.`(\w+)`", part)]
            used += [f"META().{field}" for field in re.findall(r"META\(j\)\.(\w+)", part)]
            equal = re.findall(r"j\.`(\w+)` = \$", part)
            assert set(used) <= set(keys)
            assert [*equal, "META().id"] == keys[: len(equal) + 1]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (openjobs.rows(PLACE, "k", 9, None), statements.OPEN_INDEX),
        (openjobs.rows(PLACE, "k", 9, "2026"), statements.UNQUEUED_INDEX),
        (openjobs.counts(PLACE, "2026"), statements.OPEN_INDEX),
    ],
    ids=["all", "unqueued", "counts"],
)
def test_what_repair_reads_names_the_index_that_covers_it(query: Query, index: Index) -> None:
    keys = set(re.findall(r"`(\w+)`", " ".join(index.keys or ())))

    assert f"USE INDEX (`{index.name}` USING GSI)" in query.text
    assert set(re.findall(r"j\.`(\w+)`", query.text)) <= keys
    for condition in (index.where or "").split(" AND "):
        assert f"j.{condition}" in query.text
    assert set(re.findall(r"\$(\w+)", query.text)) == set(query.parameters)


def test_indexes_have_names_of_their_own_and_are_built_later() -> None:
    made = statements.indexes()

    assert len({index.name for index in made}) == len(made)
    for index in made:
        assert '"defer_build": true' in statements.create_index(PLACE, index)
        assert '"num_replica": 2' in statements.create_index(PLACE, index, 2)
