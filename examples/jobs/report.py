"""A report from CSV: sums and means of a column, by the values of another."""

import csv
import io
from collections import defaultdict
from typing import Any

import zerog


class CsvReport(zerog.Job):
    """Group the rows of a CSV text by a column; return count, sum and mean of another one."""

    text: str
    group: str
    value: str

    def run(self, ctx: zerog.Context) -> dict[str, Any]:
        rows = list(csv.DictReader(io.StringIO(self.text)))
        missing = {self.group, self.value} - set(rows[0] if rows else [])
        if missing:
            # A retry would find the same text: end the job now.
            raise zerog.Finish(422, f"there is no column {', '.join(sorted(missing))}")
        groups: dict[str, list[float]] = defaultdict(list)
        for number, row in enumerate(ctx.track(rows), start=2):
            try:
                groups[row[self.group]].append(float(row[self.value]))
            except (TypeError, ValueError):
                ctx.warning(f"line {number}: {row[self.value]!r} is no number and is left out")
        return {
            name: {"count": len(values), "sum": sum(values), "mean": sum(values) / len(values)}
            for name, values in sorted(groups.items())
        }
