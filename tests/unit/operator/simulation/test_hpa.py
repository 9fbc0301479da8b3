"""The model of the HorizontalPodAutoscaler, held to what its documentation says."""

import pytest

from zerog_operator.simulation.hpa import Hpa, HpaSpec


def climb(hpa: Hpa, replicas: int, metric: float, syncs: int) -> list[int]:
    """Return the replicas after each sync of 15 s."""
    seen = []
    for number in range(syncs):
        replicas = hpa.sync(replicas, metric, 15.0 * number)
        seen.append(replicas)
    return seen


def test_up_it_goes_by_four_or_double_every_fifteen_seconds() -> None:
    hpa = Hpa(HpaSpec(target=1, max_replicas=100))

    assert climb(hpa, 1, 1000, 6) == [5, 10, 20, 40, 80, 100]


def test_up_it_goes_no_further_than_is_needed() -> None:
    assert climb(Hpa(HpaSpec(target=10)), 1, 62, 3) == [5, 7, 7]


def test_two_syncs_within_the_period_share_its_allowance() -> None:
    hpa = Hpa(HpaSpec(target=1))

    assert hpa.sync(1, 50, 0.0) == 5
    assert hpa.sync(5, 50, 7.0) == 5
    assert hpa.sync(5, 50, 15.0) == 10


@pytest.mark.parametrize(
    ("metric", "wanted"),
    # The documentation's formula: ceil(current x metric / target), here for 10 pods of 10 each.
    [(100, 10), (109, 10), (110, 10), (111, 12), (120, 12), (200, 20)],
)
def test_within_ten_percent_nothing_changes(metric: float, wanted: int) -> None:
    assert Hpa(HpaSpec(target=10)).sync(10, metric, 0.0) == wanted


def test_down_it_goes_at_once_to_the_most_of_the_last_five_minutes() -> None:
    hpa = Hpa(HpaSpec(target=1))
    hpa.sync(20, 20, 0.0)
    hpa.sync(20, 8, 15.0)
    replicas = 20
    seen = {}
    for time in range(30, 345, 15):
        replicas = hpa.sync(replicas, 3, float(time))
        seen[time] = replicas

    assert seen[285] == 20
    assert seen[300] == 8
    assert seen[315] == 3


def test_bounds_hold_and_at_zero_it_is_switched_off() -> None:
    hpa = Hpa(HpaSpec(target=1, min_replicas=2, max_replicas=4))

    assert hpa.sync(0, 100, 0.0) == 0
    assert hpa.sync(2, 100, 0.0) == 4
    later = Hpa(HpaSpec(target=1, min_replicas=2, max_replicas=4))
    assert later.sync(4, 0, 0.0) == 2


def test_a_fraction_as_the_target_does_not_round_up_twice() -> None:
    assert Hpa(HpaSpec(target=0.2)).sync(7, 2, 0.0) == 10
