"""The SQL++ of the adapter: what is asked, and that indexes answer it."""

import re

import pytest

from zerog.store.couchbase import statements
from zerog.store.couchbase.statements import LAST, Keyspace, Query
from zerog.store.port import JobFilter

PLACE = Keyspace("b", "s")
FILTERS = [
    JobFilter(),
    JobFilter(states=["queued"]),
    JobFilter(types=["T"], queues=["q", "r"]),
    JobFilter(queues=["q"], changed_before="2026"),
    JobFilter(states=["queued", "running"], types=["T"], queues=["q"], changed_before="2026"),
    JobFilter(states=["queued"], changed_before="2026", without_entry=True),
]


def every_query(job_filter: JobFilter) -> list[Query]:
    listed = statements.list_keys(PLACE, job_filter, before=LAST, limit=10)
    return listed + statements.count(PLACE, job_filter, now=1)


def test_a_listing_without_a_filter_is_one_statement() -> None:
    assert statements.list_keys(PLACE, JobFilter(), before="k", limit=3) == [
        Query(
            "SELECT RAW META(j).id FROM `b`.`s`.`jobs` AS j WHERE META(j).id < $before "
            "ORDER BY META(j).id DESC LIMIT $limit",
            {"before": "k", "limit": 3},
        )
    ]


def test_each_state_has_a_statement_of_its_own() -> None:
    queries = statements.list_keys(
        PLACE, JobFilter(states=["queued", "running", "queued"]), before="k", limit=3
    )

    assert [query.parameters["lead"] for query in queries] == ["queued", "running"]
    assert len({query.text for query in queries}) == 1


@pytest.mark.parametrize("job_filter", FILTERS, ids=repr)
def test_values_are_parameters_and_every_parameter_is_used(job_filter: JobFilter) -> None:
    for query in every_query(job_filter):
        assert set(re.findall(r"\$(\w+)", query.text)) == set(query.parameters)
        assert not re.search(r"queued|running|'|\"|2026", query.text)


@pytest.mark.parametrize("job_filter", FILTERS, ids=repr)
def test_every_listing_is_covered_by_the_index_it_begins_with(job_filter: JobFilter) -> None:
    for query in every_query(job_filter):
        used = re.findall(r"j\.`(\w+)`", query.text)
        told = set(re.findall(r"j\.(`\w+` IS MISSING)", query.text))
        keys = [
            [key.removesuffix(" DESC").strip("`") for key in index.keys or ()]
            for index in statements.indexes()
            if index.collection == "jobs" and (index.where is None or index.where in told)
        ]
        lead = re.search(r"j\.`(\w+)` = \$lead", query.text)
        first = lead[1] if lead else "META().id"
        assert any(index[0] == first and set(used) <= set(index) for index in keys)


def test_jobs_without_an_entry_have_an_index_of_their_own() -> None:
    (query,) = statements.list_keys(
        PLACE, JobFilter(states=["queued"], without_entry=True), before=LAST, limit=10
    )
    (index,) = [index for index in statements.indexes() if index.where]

    assert "j.`entryId` IS MISSING" in query.text
    assert " WHERE `entryId` IS MISSING WITH {" in statements.create_index(PLACE, index)


def test_indexes_have_names_of_their_own_and_are_built_later() -> None:
    made = statements.indexes()

    assert len({index.name for index in made}) == len(made)
    for index in made:
        assert '"defer_build": true' in statements.create_index(PLACE, index)
        assert '"num_replica": 2' in statements.create_index(PLACE, index, 2)
