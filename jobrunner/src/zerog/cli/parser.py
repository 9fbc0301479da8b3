"""What all parsers of the command share: how errors are reported, and types of arguments.

It imports nothing of ZeroG but what is as small, so that `zerog --help` starts fast.
"""

import argparse
import os
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import NoReturn

from zerog.cli import codes
from zerog.cli.words import folded

MAX_PORT = 65535
#: Fewer digits of a UUID are not taken: they are the same for all jobs of some minutes.
MIN_PREFIX, UUID_DIGITS = 8, 32
#: Seconds by the letter behind a number.
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MAX_SPAN_CHARS = 12


class Parser(argparse.ArgumentParser):
    """Reports an error with a pointer to the help, not with a usage that fills the screen."""

    def error(self, message: str) -> NoReturn:
        """End with the code for wrong usage."""
        text = f"{self.prog}: error: {message}\n  `{self.prog} --help` explains it"
        self.exit(codes.USAGE, f"{folded(text)}\n")


def text(value: str) -> str:
    """Read text. Python keeps bytes of another encoding than the terminal's: they may be UTF-8."""
    try:
        return os.fsencode(value).decode() if _has_bytes(value) else value
    except UnicodeDecodeError:
        encoding = sys.getfilesystemencoding()
        raise argparse.ArgumentTypeError(f"{value!r} is not text in {encoding}") from None


def _has_bytes(value: str) -> bool:
    return any("\udc80" <= letter <= "\udcff" for letter in value)


def idempotency_key(value: str) -> str:
    """Read an Idempotency-Key."""
    from zerog.model.names import check_idempotency_key

    try:
        return check_idempotency_key(text(value))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def job_uuid(text: str) -> str:
    """Read the UUID of a job, in the form in which the API has it, or how it begins."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        pass
    digits = text.replace("-", "").lower()
    if MIN_PREFIX <= len(digits) < UUID_DIGITS and set(digits) <= set("0123456789abcdef"):
        return str(uuid.UUID(digits.ljust(UUID_DIGITS, "0")))[: len(digits) + _dashes(len(digits))]
    raise argparse.ArgumentTypeError(
        f"{text!r} is not a job's UUID, nor its first {MIN_PREFIX} or more digits; "
        "`zerog list` shows jobs and their UUIDs"
    )


def _dashes(digits: int) -> int:
    """Return how many dashes a UUID has within its first digits."""
    return sum(digits > place for place in (8, 12, 16, 20))


def label(value: str) -> tuple[str, str]:
    """Read a label."""
    from zerog.model.labels import check_label

    try:
        key, _, content = check_label(text(value)).partition("=")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return key, content


def moment(value: str) -> datetime:
    """Read a time: as the API writes it, or how long ago it was, e.g. 90s, 15m, 6h, 7d."""
    if value[-1:] in UNITS and value[:-1].isdecimal() and len(value) < MAX_SPAN_CHARS:
        try:
            return datetime.now(UTC) - timedelta(seconds=int(value[:-1]) * UNITS[value[-1]])
        except OverflowError:
            pass
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{value!r} is not a time: write e.g. 2026-01-31T12:00:00Z, or 6h for six hours ago"
        ) from None
    return time if time.tzinfo else time.astimezone()


def count(text: str) -> int:
    """Read a whole number of at least 1."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return min(value, sys.maxsize)


def port(text: str) -> int:
    """Read a port."""
    if not text.isdecimal() or len(text) > len(str(MAX_PORT)) or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use 0 to {MAX_PORT}")
    return int(text)


def number(least: float) -> Callable[[str], float]:
    """Return a type of arguments: a finite number that is not less than this."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not isfinite(value) or value < least:
            raise argparse.ArgumentTypeError(f"{text} is not a number of at least {least:g}")
        return value

    return parse


#: A span of time.
seconds = number(0)
