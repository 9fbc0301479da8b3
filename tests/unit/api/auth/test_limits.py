"""Token buckets and calls under way, by a clock of the test's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerog_api.edge.limits import Buckets, InFlight


def test_a_burst_is_taken_and_then_only_the_rate() -> None:
    buckets = Buckets(per_second=2, burst=3)

    assert [buckets.take("a", 0.0) for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a", 0.0) == 0.5
    assert buckets.take("a", 0.5) == 0
    assert buckets.take("a", 0.5) > 0


def test_one_client_does_not_spend_anothers() -> None:
    buckets = Buckets(per_second=1, burst=1)

    assert buckets.take("a", 0.0) == 0
    assert buckets.take("b", 0.0) == 0
    assert buckets.take("a", 0.0) > 0


def test_memory_is_bounded_and_the_busy_ones_are_kept() -> None:
    buckets = Buckets(per_second=1, burst=1, max_clients=2)
    buckets.take("a", 0.0)
    buckets.take("b", 0.0)

    assert buckets.take("a", 0.0) > 0
    buckets.take("c", 0.0)

    assert buckets.take("a", 0.0) > 0
    assert buckets.take("b", 0.0) == 0


@pytest.mark.parametrize(("per_second", "burst"), [(0, 1), (1, 0)])
def test_zero_is_no_limit(per_second: float, burst: float) -> None:
    buckets = Buckets(per_second=per_second, burst=burst)

    assert not any(buckets.take("a", 0.0) for _ in range(1000))


def test_a_clock_that_jumps_back_gives_nothing_away() -> None:
    buckets = Buckets(per_second=1, burst=1)
    buckets.take("a", 100.0)

    assert buckets.take("a", 0.0) > 0


@given(st.lists(st.floats(0, 10), max_size=60), st.floats(0.1, 50), st.integers(1, 20))
def test_no_client_ever_gets_more_than_burst_and_rate(
    pauses: list[float], rate: float, burst: int
) -> None:
    buckets, now, taken = Buckets(rate, burst), 0.0, 0

    for pause in pauses:
        now += pause
        taken += buckets.take("a", now) == 0

    assert taken <= burst + now * rate + 1e-6


def test_calls_at_the_same_time_are_counted_in_and_out() -> None:
    calls = InFlight(2)

    assert calls.enter("a")
    assert calls.enter("a")
    assert not calls.enter("a")
    assert calls.enter("b")
    calls.leave("a")
    assert calls.enter("a")


def test_nothing_is_remembered_of_clients_that_have_left() -> None:
    calls = InFlight(2)

    calls.enter("a")
    calls.leave("a")

    assert calls._counts == {}
