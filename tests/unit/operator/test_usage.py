"""What the last hour's attempts took, and whether a pool's workers ask for as much."""

from typing import Any

import pytest

from zerog.ledger.counts import CPUS, PEAKS, RUNS
from zerog_operator.model import Facts
from zerog_operator.pool import PoolSpec
from zerog_operator.usage import MAX_TYPES, build_usage, hint, memory_request, read_quantity

MIB = 1 << 20


def counts(attempts: int, ran: float, peak: int | None = None) -> dict[str, int]:
    """Return the counts of attempts that all took the same."""
    found = {"ended": attempts, RUNS.total: round(1000 * ran * attempts), RUNS.of(ran): attempts}
    found[CPUS.of(ran / 2)] = attempts
    return found if peak is None else {**found, PEAKS.of(peak): attempts}


def pool(slots: int = 1, **resources: Any) -> PoolSpec:
    container = {"name": "worker", "image": "acme:1", "resources": resources}
    template = {"spec": {"containers": [{"name": "other"}, container]}}
    return PoolSpec("media", slots=slots, template=template)


def test_a_status_tells_what_each_type_took_the_busiest_first() -> None:
    types = {"Small": counts(10, 1.0), "Large": counts(30, 50.0, 300 * MIB), "Idle": {"started": 1}}

    usage = build_usage(pool(requests={"memory": "2Gi"}), Facts(types=types))

    assert usage["busySeconds"] == 1510
    assert [(item["name"], item["ended"], item["busySeconds"]) for item in usage["types"]] == [
        ("Large", 30, 1500),
        ("Small", 10, 10),
    ]
    assert "memory99Mebibytes" not in usage["types"][1]
    assert usage["memoryRequestMebibytes"] == 2048
    assert 300 <= usage["memory99Mebibytes"] <= 300 * 1.2


@pytest.mark.parametrize("types", [None, {}, {"T": {"started": 5}}])
def test_nothing_is_told_while_nothing_is_known_or_has_ended(types: Any) -> None:
    assert build_usage(pool(), Facts(types=types)) == {}


def test_a_status_lists_so_many_types_and_no_more() -> None:
    types = {f"T{number}": counts(1, 1.0) for number in range(500)}

    usage = build_usage(pool(), Facts(types=types))

    assert len(usage["types"]) == MAX_TYPES
    assert usage["busySeconds"] == 500


@pytest.mark.parametrize(
    ("request_mib", "peak_mib", "slots", "attempts", "word"),
    [
        (2048, 310, 1, 100, "much more than"),
        (300, 310, 1, 100, "less than"),
        (900, 310, 1, 100, None),
        (2048, 310, 4, 100, None),
        (1024, 310, 4, 100, "less than"),
        (2048, 310, 1, 3, None),
    ],
)
def test_a_hint_is_given_where_a_request_does_not_fit(
    request_mib: int, peak_mib: int, slots: int, attempts: int, word: str | None
) -> None:
    told = hint(request_mib * MIB, peak_mib * MIB, slots, attempts)

    assert (told is None) == (word is None)
    if told is not None and word is not None:
        assert f"requests memory of {request_mib} MiB" in told
        assert f", {word} it needs: 99 in 100 attempts" in told


@pytest.mark.parametrize(("request_bytes", "peak"), [(None, 5), (5, None)])
def test_there_is_no_hint_where_something_is_unknown(
    request_bytes: int | None, peak: int | None
) -> None:
    assert hint(request_bytes, peak, 1, 1000) is None


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2Gi", 2 << 30),
        ("1.5Gi", 3 << 29),
        ("500M", 500_000_000),
        ("64Ki", 64 << 10),
        ("128974848", 128974848),
        (128974848, 128974848),
        ("1e9", 10**9),
        ("1e3k", 10**6),
        ("lots", None),
        ("", None),
        (None, None),
    ],
)
def test_quantities_are_read_as_kubernetes_writes_them(text: object, size: int | None) -> None:
    assert read_quantity(text) == size


@pytest.mark.parametrize(
    ("resources", "size"),
    [
        ({"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}, 1 << 30),
        ({"limits": {"memory": "2Gi"}}, 2 << 30),
        ({"requests": {"cpu": "1"}}, None),
        ({}, None),
    ],
)
def test_the_request_is_the_workers_container(resources: Any, size: int | None) -> None:
    assert memory_request(pool(**resources)) == size
    assert memory_request(PoolSpec("media")) is None
