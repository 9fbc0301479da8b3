"""When a cron expression comes, in a time zone. Pure.

The clock changes are cronsim's, which follows Debian's cron. A time that a change leaves out comes
right after it. A time that a change repeats comes once, unless the hours or minutes are `*`. An
expression has whole minutes, so an answer holds for a minute and is remembered that long.
"""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

MINUTE_SECONDS = 60
_FIELDS = 5


def check_cron(text: str) -> str:
    """Return the expression. `ValueError` says what is wrong with it."""
    if len(text.split()) != _FIELDS:
        raise ValueError(
            f"{text!r} has not {_FIELDS} fields: minute, hour, day of month, month, day of week"
        )
    try:
        times = CronSim(text, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"{text!r} is not a cron expression: {error}") from error
    if next(times, None) is None:
        raise ValueError(f"{text!r} never comes")
    return text


def check_time_zone(name: str) -> str:
    """Return the name. `ValueError` if there is no such time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone, such as Europe/Berlin or UTC") from error
    return name


def last_time(cron: str, zone: str, now: float) -> float | None:
    """Return when the expression came last, now included. Times are Unix times."""
    return _around(cron, zone, int(now // MINUTE_SECONDS))[0]


def next_time(cron: str, zone: str, now: float) -> float | None:
    """Return when the expression comes next."""
    return _around(cron, zone, int(now // MINUTE_SECONDS))[1]


@lru_cache(maxsize=1024)
def _around(cron: str, zone: str, minute: int) -> tuple[float | None, float | None]:
    """Return the last time up to this minute, and the first one after it."""
    here = minute * MINUTE_SECONDS
    now = datetime.fromtimestamp(here, ZoneInfo(zone))
    # From within an hour that is repeated, cronsim finds times of its first run in both directions.
    # From a time that it has found it goes forward without a fault.
    start = next(CronSim(cron, now, reverse=True), now)
    last = start.timestamp() if start.timestamp() < here else None
    for time in CronSim(cron, start):
        if (unix := time.timestamp()) > here:
            return last, unix
        last = unix
    return last, None
