"""The model of the HorizontalPodAutoscaler, held to what its source and documentation say."""

from dataclasses import replace

import pytest

from zerog_simulate.hpa import Behavior, Hpa, HpaSpec, ScalingRules, SelectPolicy

#: The defaults of a `behavior` of which a part was set.
BEHAVES = Behavior()


def climb(spec: HpaSpec, replicas: int, metric: float, syncs: int) -> list[int]:
    """Return the replicas after each sync of 15 s."""
    hpa, seen = Hpa(spec), []
    for number in range(syncs):
        replicas = hpa.sync(replicas, metric, 15.0 * number)
        seen.append(replicas)
    return seen


@pytest.mark.parametrize(
    ("behavior", "steps"),
    [
        # `calculateScaleUpLimit`: max(2 x current, 4).
        (None, [4, 8, 16, 32, 64, 100]),
        # The documented default: 100 % or 4 pods in 15 s, whichever is more.
        (BEHAVES, [5, 10, 20, 40, 80, 100]),
        (replace(BEHAVES, up=ScalingRules(0, percent=100, pods=2)), [3, 6, 12, 24, 48, 96]),
        (
            replace(BEHAVES, up=ScalingRules(0, percent=100, pods=2, select=SelectPolicy.MIN)),
            [2, 4, 6, 8, 10, 12],
        ),
        (replace(BEHAVES, up=ScalingRules(0, percent=900)), [10, 100, 100, 100, 100, 100]),
        # The least of the last 30 s counts, and at its beginning that is one pod.
        (replace(BEHAVES, up=ScalingRules(30, percent=900)), [1, 1, 10, 100, 100, 100]),
    ],
)
def test_up_it_goes_as_far_as_its_rules_let_it(behavior: Behavior | None, steps: list[int]) -> None:
    assert climb(HpaSpec(1, behavior=behavior), 1, 1000, 6) == steps


@pytest.mark.parametrize("behavior", [None, BEHAVES])
def test_up_it_goes_no_further_than_is_needed(behavior: Behavior | None) -> None:
    assert climb(HpaSpec(10, behavior=behavior), 1, 62, 4)[-2:] == [7, 7]


def test_two_syncs_within_the_period_share_its_allowance() -> None:
    hpa = Hpa(HpaSpec(target=1, behavior=BEHAVES))

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


def test_each_direction_has_its_tolerance() -> None:
    rules = Behavior(replace(BEHAVES.up, tolerance=0.5), replace(BEHAVES.down, tolerance=0.0))

    assert Hpa(HpaSpec(10, behavior=rules)).sync(10, 149, 0.0) == 10
    assert Hpa(HpaSpec(10, behavior=rules)).sync(10, 151, 0.0) == 16
    hpa = Hpa(HpaSpec(10, behavior=rules))
    hpa.sync(10, 90, 0.0)
    assert hpa.sync(10, 90, 301.0) == 9


@pytest.mark.parametrize("behavior", [None, BEHAVES])
def test_down_it_goes_at_once_to_the_most_of_the_last_five_minutes(
    behavior: Behavior | None,
) -> None:
    hpa = Hpa(HpaSpec(target=1, behavior=behavior))
    hpa.sync(20, 20, 0.0)
    hpa.sync(20, 8, 15.0)
    replicas, seen = 20, {}
    for time in range(30, 345, 15):
        replicas = hpa.sync(replicas, 3, float(time))
        seen[time] = replicas

    assert (seen[285], seen[300], seen[315]) == (20, 8, 3)


def test_without_behavior_it_climbs_to_what_was_recommended_when_that_is_not_needed_any_more() -> (
    None
):
    hpa, other = Hpa(HpaSpec(1)), Hpa(HpaSpec(1, behavior=BEHAVES))
    for it in (hpa, other):
        it.sync(1, 30, 0.0)

    assert hpa.sync(4, 2, 15.0) == 8
    assert other.sync(4, 2, 15.0) == 4


@pytest.mark.parametrize(
    ("rules", "after_minutes"),
    [
        # The documentation's example: 8 of 80 pods in the first minute, 8 of 72 in the next.
        (ScalingRules(0, percent=10, percent_period_seconds=60), [72, 64, 57]),
        (ScalingRules(0, 1, pods=4, pods_period_seconds=60), [76, 72, 68]),
        (
            ScalingRules(0, 10, 60, pods=4, pods_period_seconds=60, select=SelectPolicy.MIN),
            [76, 72, 68],
        ),
    ],
)
def test_down_it_goes_as_far_as_its_policies_let_it(
    rules: ScalingRules, after_minutes: list[int]
) -> None:
    hpa, replicas, seen = Hpa(HpaSpec(1, behavior=Behavior(down=rules))), 80, []
    for time in range(0, 180, 60):
        replicas = hpa.sync(replicas, 1, float(time))
        seen.append(replicas)

    assert seen == after_minutes


@pytest.mark.parametrize("behavior", [None, BEHAVES])
def test_bounds_hold_and_at_zero_it_is_switched_off(behavior: Behavior | None) -> None:
    spec = HpaSpec(target=1, min_replicas=2, max_replicas=4, behavior=behavior)
    hpa = Hpa(spec)

    assert hpa.sync(0, 100, 0.0) == 0
    assert hpa.sync(1, 100, 15.0) == 2
    assert hpa.sync(2, 100, 30.0) == 4
    assert hpa.sync(9, 100, 45.0) == 4
    later = Hpa(spec)
    later.sync(4, 0, 0.0)
    assert later.sync(4, 0, 301.0) == 2


def test_a_fraction_as_the_target_does_not_round_up_twice() -> None:
    assert Hpa(HpaSpec(target=0.2)).sync(7, 2, 0.0) == 10
