"""Arrivals and departures: measured by the clock, whoever asks and how often."""

from zerog.queue.port import TubeStats
from zerog_api.core.overview import MIN_RATE_SECONDS, RATE_SECONDS, SAMPLE_SECONDS, Rates


def tube(total: int, deleted: int = 0) -> TubeStats:
    return TubeStats("zerog.mail", total=total, deleted=deleted)


def test_asking_changes_no_rate() -> None:
    rates = Rates()
    rates.sample([tube(100)], 0.0)

    told = [rates.of(tube(130, 60), 30.0) for _ in range(1000)]

    assert set(told) == {(60.0, 120.0)}
    assert rates.of(tube(160, 60), 60.0) == (60.0, 60.0)


def test_a_rate_is_of_the_last_minute() -> None:
    rates = Rates()
    for second in range(0, 300, int(SAMPLE_SECONDS)):
        rates.sample([tube(second if second < 150 else 150)], float(second))

    assert rates.of(tube(150), 299.0) == (0.0, 0.0)
    assert len(rates._samples["zerog.mail"]) <= RATE_SECONDS / SAMPLE_SECONDS + 1


def test_what_is_not_known_is_not_told() -> None:
    rates = Rates()
    assert rates.of(tube(5), 0.0) == (None, None)
    rates.sample([tube(5)], 0.0)
    assert rates.of(tube(6), MIN_RATE_SECONDS / 2) == (None, None)
    assert rates.of(tube(1), 30.0) == (None, None)  # the server was restarted
    rates.sample([tube(1)], 30.0)
    assert rates.of(tube(2), 60.0) == (2.0, 0.0)


def test_tubes_that_are_gone_are_forgotten() -> None:
    rates = Rates()
    rates.sample([TubeStats(f"zerog.{number}") for number in range(100)], 0.0)
    rates.sample([tube(1)], 5.0)

    assert set(rates._samples) == {"zerog.mail"}
