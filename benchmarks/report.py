"""Write what was measured: JSON, a table in docs/performance.md, a plot beside it."""

import json
from pathlib import Path

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
COLUMNS = {
    "post_per_second": "POST/s",
    "get_per_second": "GET/s",
    "stored_per_second": "POST → stored result, jobs/s",
    "idle_p50_ms": "idle p50 (ms)",
    "idle_p99_ms": "idle p99 (ms)",
    "worker_megabytes": "workers (MB)",
}


def write_report(medians: dict[str, dict[str, float]], root: Path, rounds: int, jobs: int) -> None:
    """Write the results of a run."""
    (root / "benchmarks/results").mkdir(exist_ok=True)
    document = {"rounds": rounds, "jobs": jobs, "medians": medians}
    (root / "benchmarks/results/latest.json").write_text(json.dumps(document, indent=2) + "\n")
    page = root / "docs/performance.md"
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    table = f"\n\nMedians of {rounds} rounds, {jobs} jobs each.\n\n{_table(medians)}\n"
    page.write_text(before + BEGIN + table + END + after, encoding="utf-8")
    _plot(medians, root / "docs/performance.svg")


def _table(medians: dict[str, dict[str, float]]) -> str:
    lines = ["| | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, values in medians.items():
        label = "**ZeroG**" if name == "zerog" else f"FastAPI + {name}"
        cells = [
            f"{values[key]:.1f}" if key.startswith("idle") else f"{values[key]:.0f}"
            for key in COLUMNS
        ]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _plot(medians: dict[str, dict[str, float]], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    keys = ["post_per_second", "get_per_second", "stored_per_second", "idle_p50_ms"]
    figure, axes = plt.subplots(1, len(keys), figsize=(13, 3))
    for axis, key in zip(axes, keys, strict=True):
        names = list(medians)
        colors = ["#2563eb" if name == "zerog" else "#9ca3af" for name in names]
        axis.barh(names, [medians[name][key] for name in names], color=colors)
        axis.invert_yaxis()
        axis.set_title(COLUMNS[key], fontsize=9)
    figure.tight_layout()
    figure.savefig(path)
