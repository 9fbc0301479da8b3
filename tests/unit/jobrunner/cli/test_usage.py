"""`zerog usage`: a row for each type, and nothing where nobody knows."""

from zerog.cli.usage import COLUMNS, row

USAGE = {
    "name": "Convert", "queue": "media", "ended": 12, "failed": 2, "busySeconds": 61.2,
    "run50Seconds": 4.567, "run95Seconds": 9.0, "cpu50Seconds": None, "cpu95Seconds": 0.00123,
    "peak50Bytes": None, "peak99Bytes": 325058560,
}  # fmt: skip


def test_a_row_has_a_cell_for_each_column() -> None:
    cells = dict(zip(COLUMNS, row(USAGE), strict=True))

    assert cells == {
        "TYPE": "Convert", "QUEUE": "media", "ENDED": 12, "FAILED": 2, "BUSY (s)": "61",
        "RUN P50 (s)": "4.57", "RUN P95 (s)": "9", "CPU P50 (s)": None, "CPU P95 (s)": "0.00123",
        "MEMORY P50 (MiB)": None, "MEMORY P99 (MiB)": "310",
    }  # fmt: skip
