"""How many jobs a slot takes at once."""

from zerog.worker.pace import BATCH_SECONDS, LEFT_BACKOFF, MAX_BATCH, Pace


def test_a_slot_begins_with_one_job() -> None:
    assert Pace().size == 1


def test_short_jobs_are_taken_in_doubling_numbers_up_to_the_bound() -> None:
    pace = Pace()
    sizes = []
    for _ in range(6):
        pace.after(pace.size, pace.size * 0.0001)
        sizes.append(pace.size)

    assert sizes == [2, 4, 8, 16, MAX_BATCH, MAX_BATCH]


def test_a_batch_is_not_expected_to_take_longer_than_its_bound() -> None:
    pace = Pace(size=8)

    pace.after(8, 8 * BATCH_SECONDS / 4)

    assert pace.size == 4


def test_one_long_job_ends_the_taking_of_several() -> None:
    pace = Pace(size=16)

    pace.after(16, 3.0)

    assert pace.size == 1


def test_an_empty_queue_ends_the_taking_of_several() -> None:
    pace = Pace(size=16)

    pace.starved()

    assert pace.size == 1


def test_jobs_that_took_no_measurable_time_are_short() -> None:
    pace = Pace(size=2)

    pace.after(2, 0.0)

    assert pace.size == 4


def test_entries_of_others_in_a_row_make_ever_longer_pauses_until_a_job_comes() -> None:
    pace = Pace()
    longest = LEFT_BACKOFF.pause(100)

    pauses = [pace.pause_after_left(1) for _ in range(20)]

    assert pauses[0] < longest / 5
    assert min(pauses[10:]) >= longest / 2
    # A backlog of any length costs a slot a few entries a second.
    assert sum(pauses) > 20 * longest / 3

    pace.after(1, 0.001)
    assert pace.pause_after_left(1) < longest / 5
