"""`zerog usage`: what the attempts of each job type took, for people who size workers."""

import argparse
from typing import Any

from zerog.cli import codes
from zerog.cli.output import print_json, print_table
from zerog.cli.target import connect

_MIB = 1 << 20
COLUMNS = (
    "TYPE", "QUEUE", "ENDED", "FAILED", "BUSY (s)", "RUN P50 (s)", "RUN P95 (s)", "CPU P50 (s)",
    "CPU P95 (s)", "MEMORY P50 (MiB)", "MEMORY P99 (MiB)",
)  # fmt: skip


def command_usage(options: argparse.Namespace) -> int:
    """Show what attempts took that ended lately."""
    with connect(options) as client:
        types = client.stats(options.minutes)["types"]
    if options.json:
        print_json(types)
        return codes.OK
    none = f"No attempt has ended in the last {options.minutes} minutes."
    print_table(COLUMNS, [row(usage) for usage in types], none)
    return codes.OK


def row(usage: dict[str, Any]) -> tuple[Any, ...]:
    """Return a type's row. Unknown values are left empty."""
    peaks = [
        None if peak is None else f"{peak / _MIB:.0f}"
        for peak in (usage["peak50Bytes"], usage["peak99Bytes"])
    ]
    seconds = [
        None if usage[name] is None else f"{usage[name]:.3g}"
        for name in ("run50Seconds", "run95Seconds", "cpu50Seconds", "cpu95Seconds")
    ]
    busy = f"{usage['busySeconds']:.0f}"
    return (
        usage["name"], usage["queue"], usage["ended"], usage["failed"], busy, *seconds, *peaks,
    )  # fmt: skip
