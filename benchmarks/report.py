"""Write what was measured: JSON, a table in docs/performance.md, a plot beside it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from zerog_tools.blocks import alone, filled

#: What is measured, and to how many digits it is shown.
COLUMNS = {
    "post_per_second": ("POST/s", 0),
    "get_per_second": ("GET/s", 0),
    "stored_per_second": ("POST → stored result, jobs/s", 0),
    "idle_p50_ms": ("idle p50 (ms)", 1),
    "idle_p99_ms": ("idle p99 (ms)", 1),
    "worker_megabytes": ("workers (MB)", 0),
    "post_processor_ms": ("API, a POST (ms)", 2),
    "get_processor_ms": ("API, a GET (ms)", 2),
    "stored_api_ms": ("API, a job (ms)", 2),
    "stored_worker_ms": ("workers, a job (ms)", 2),
    "stored_broker_ms": ("queue, a job (ms)", 2),
    "load_share": ("generator (cores)", 2),
}
#: What everything was measured with.
SETTING = (
    "ZeroG: SQLite with `synchronous=FULL`, beanstalkd without a binlog, each job in a separate "
    "process. Peers: Redis that writes nothing to disk."
)


@dataclass(frozen=True, slots=True)
class Report:
    """The medians of a run, and how to write them."""

    rounds: int
    #: Of each system in each round.
    jobs: int
    #: By system, then by column.
    medians: dict[str, dict[str, float]]
    #: What Tornado does with nothing behind it: the columns that it has.
    floor: dict[str, float]

    def write(self, root: Path) -> None:
        """Write JSON, table and plot."""
        (root / "benchmarks/results").mkdir(exist_ok=True)
        text = json.dumps(asdict(self), indent=2)
        (root / "benchmarks/results/latest.json").write_text(f"{text}\n")
        page = root / "docs/performance.md"
        rounds = f"Medians of {self.rounds} rounds, {self.jobs} jobs each."
        table = f"{SETTING}\n{rounds}\n\n{self.table()}"
        page.write_text(filled(page.read_text(), {"measured": alone(table)}))
        _plot(self.medians, root / "docs/performance.svg")

    def table(self) -> str:
        """Return the table of the page."""
        labels = {name: f"FastAPI + {name}" for name in self.medians} | {"zerog": "**ZeroG**"}
        rows = {labels[name]: values for name, values in self.medians.items()}
        rows["Tornado, nothing behind it"] = self.floor
        names = [name for name, _ in COLUMNS.values()]
        lines = ["| | " + " | ".join(names) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
        for label, values in rows.items():
            cells = [_cell(key, values[key]) if key in values else "" for key in COLUMNS]
            lines.append(f"| {label} | " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"


def _cell(key: str, value: float) -> str:
    return f"{value:.{COLUMNS[key][1]}f}"


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
        axis.set_title(COLUMNS[key][0], fontsize=9)
    figure.tight_layout()
    figure.savefig(path)
