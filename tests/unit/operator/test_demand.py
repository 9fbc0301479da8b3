"""How many slots a load needs: what is expected of those that are busy."""

from dataclasses import replace

import pytest

from zerog_operator.demand import Group, Load, slots_for_target

#: Fifty busy slots of which one should become free each second.
BUSY = Load(ready=4, busy=50, slots=50, job_seconds=50.0, departures_per_second=1.0)


def test_entries_that_have_time_wait_for_slots_to_become_free() -> None:
    load = replace(BUSY, groups=(Group(9.0, 4),), departures_per_second=0.0)

    assert slots_for_target(load) == 50


@pytest.mark.parametrize("due", [4.0, 0.0, -30.0])
def test_entries_whose_time_is_up_get_slots_when_nothing_ends(due: float) -> None:
    load = replace(BUSY, groups=(Group(due, 4),), departures_per_second=0.0)

    assert slots_for_target(load) == 54


def test_entries_whose_time_is_up_wait_on_when_jobs_do_end() -> None:
    load = replace(BUSY, groups=(Group(-1.0, 4),), departures_per_second=1.0)

    assert slots_for_target(load) == 50


def test_what_was_not_measured_yet_is_expected() -> None:
    load = replace(BUSY, groups=(Group(-1.0, 4),), departures_per_second=None)

    assert slots_for_target(load) == 50


def test_many_ends_do_not_promise_more_than_the_jobs_length() -> None:
    usual = replace(BUSY, groups=(Group(-1.0, 20),), ready=20)

    assert slots_for_target(replace(usual, departures_per_second=50.0)) == slots_for_target(usual)
