"""When a cron expression comes: in any time zone, and where the clocks change."""

from bisect import bisect_right
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from zerog_operator.schedule import check_cron, last_time, next_time

BERLIN = "Europe/Berlin"
HOUR = 3600.0


def unix(text: str, zone: str = "UTC") -> float:
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=ZoneInfo(zone))).timestamp()


@pytest.mark.parametrize(
    ("cron", "zone", "now", "last", "following"),
    [
        # The moment itself counts, and so does every part of its minute.
        ("0 8 * * *", "UTC", "2026-06-01T08:00", "2026-06-01T08:00", "2026-06-02T08:00"),
        ("0 8 * * *", "UTC", "2026-06-01T08:00:30", "2026-06-01T08:00", "2026-06-02T08:00"),
        ("0 8 * * *", "UTC", "2026-06-01T07:59:59.9", "2026-05-31T08:00", "2026-06-01T08:00"),
        # Office hours over a weekend.
        ("0 8 * * 1-5", BERLIN, "2026-06-06T12:00", "2026-06-05T08:00", "2026-06-08T08:00"),
        # Half an hour beside the others, and the far side of the date line.
        ("0 8 * * *", "Asia/Kolkata", "2026-06-01T09:00", "2026-06-01T08:00", "2026-06-02T08:00"),
        ("0 8 * * 1", "Pacific/Apia", "2026-06-01T09:00", "2026-06-01T08:00", "2026-06-08T08:00"),
        # 02:30 is left out on 29 March: it comes at 03:00.
        ("30 2 * * *", BERLIN, "2026-03-29T12:00", "2026-03-29T03:00", "2026-03-30T02:30"),
        ("30 2 * * *", BERLIN, "2026-03-29T01:59", "2026-03-28T02:30", "2026-03-29T03:00"),
        # 02:30 is there twice on 25 October: it comes the first time.
        ("30 2 * * *", BERLIN, "2026-10-25T02:45+01:00", "2026-10-25T02:30+02:00",
         "2026-10-26T02:30"),
        ("30 2 * * *", BERLIN, "2026-10-25T02:15+01:00", "2026-10-25T02:30+02:00",
         "2026-10-26T02:30"),
        # Each hour comes each hour.
        ("30 * * * *", BERLIN, "2026-10-25T02:45+01:00", "2026-10-25T02:30+01:00",
         "2026-10-25T03:30"),
        ("30 * * * *", BERLIN, "2026-03-29T03:00", "2026-03-29T01:30", "2026-03-29T03:30"),
    ],
)  # fmt: skip
def test_the_last_and_the_next_time(
    cron: str, zone: str, now: str, last: str, following: str
) -> None:
    assert last_time(cron, zone, unix(now, zone)) == unix(last, zone)
    assert next_time(cron, zone, unix(now, zone)) == unix(following, zone)


@pytest.mark.parametrize("cron", ["30 2 * * *", "*/20 * * * *", "0 2,3 * * *", "15 1-4 * * *"])
@pytest.mark.parametrize(
    ("zone", "start"),
    [
        (BERLIN, "2026-03-28T23:00"),
        (BERLIN, "2026-10-24T23:00"),
        ("America/New_York", "2026-03-07T23:00"),
        ("America/New_York", "2026-10-31T23:00"),
        # By half an hour.
        ("Australia/Lord_Howe", "2026-10-03T23:00"),
        ("Australia/Lord_Howe", "2026-04-04T23:00"),
    ],
)
def test_at_every_minute_of_a_night_with_a_clock_change_last_and_next_are_neighbours(
    zone: str, start: str, cron: str
) -> None:
    now = unix(start, zone)
    times = CronSim(cron, datetime.fromtimestamp(now - 30 * HOUR, ZoneInfo(zone)))
    comes = [time.timestamp() for time in islice(times, 300)]

    for minute in range(6 * 60):
        time = now + minute * 60
        place = bisect_right(comes, time)
        found = [last_time(cron, zone, time), next_time(cron, zone, time)]
        assert found == comes[place - 1 : place + 1]


def test_what_comes_once_in_years_is_found() -> None:
    now = unix("2026-06-01T00:00")

    assert check_cron("0 0 29 2 *")
    assert last_time("0 0 29 2 *", "UTC", now) == unix("2024-02-29T00:00")
    assert next_time("0 0 29 2 *", "UTC", now) == unix("2028-02-29T00:00")
