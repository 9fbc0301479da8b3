"""What all parsers of the command share: how a fault is told, and types of arguments.

It imports nothing of ZeroG but what is as small, so that `zerog --help` starts fast.
"""

import argparse
import os
import sys
import uuid
from collections.abc import Callable
from math import isfinite
from typing import NoReturn

from zerog.cli import codes
from zerog.cli.words import folded

MAX_PORT = 65535


class Parser(argparse.ArgumentParser):
    """Says after a fault where to read on, in place of a usage that fills the screen."""

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
    """Read the UUID of a job, in the form in which the API has it."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no UUID of a job; `zerog list` shows jobs and their UUIDs"
        ) from None


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
