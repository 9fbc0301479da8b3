"""A comparison as a picture: workers and waiting jobs over time, and the start latencies.

matplotlib is asked for when it is used: `pip install zerog-simulate[plot]`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from zerog.model.errors import ConfigError
from zerog_simulate.comparison import Comparison, Row
from zerog_simulate.outcome import Outcome
from zerog_simulate.report import headline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".svg", ".png")
_COLOURS = ("#1b6ca8", "#d1495b", "#edae49")


def check_plot(path: Path) -> None:
    """Raise `ConfigError` if no plot can be written there, before the work is done."""
    if path.suffix not in FORMATS:
        raise ConfigError(f"--plot {path}: the name has to end with {' or '.join(FORMATS)}")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"--plot {path}: there is no folder {path.parent}")
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ConfigError("--plot needs matplotlib: pip install zerog-simulate[plot]") from error


def draw(comparison: Comparison, path: Path) -> None:
    """Draw a comparison into a file; the same comparison makes the same SVG."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "zerog"
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 9), layout="constrained")
    workers, waiting, latencies = figure.subplots(3, 1)
    for number, row in enumerate(comparison.rows):
        if row.outcome is not None:
            _draw_row(row, row.outcome, number, (workers, waiting, latencies))
    workers.set(title=headline(comparison), ylabel="workers")
    waiting.set(xlabel="time (s)", ylabel="jobs waiting")
    waiting.set_yscale("symlog", linthresh=10)
    waiting.set_ylim(bottom=0)
    latencies.set(xlabel="start latency (s)", ylabel="part of the jobs", ylim=(0, 1.02))
    latencies.set_xscale("symlog", linthresh=1)
    latencies.set_xlim(left=0)
    goal = comparison.search.goal_seconds
    latencies.axvline(goal, color="grey", linestyle=":", label="goal")
    latencies.legend(fontsize="small")
    try:
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    except OSError as error:
        raise ConfigError(f"the plot cannot be written to {path}: {error}") from error


def _draw_row(row: Row, outcome: Outcome, number: int, axes: "tuple[Axes, Axes, Axes]") -> None:
    workers, waiting, latencies = axes
    # Each contestant has its colour; tuned it is thin.
    color, width = _COLOURS[number % len(_COLOURS)], 1.5 if number < len(_COLOURS) else 0.7
    times = [point.time for point in outcome.points]
    for axis, counts in (
        (workers, [point.workers for point in outcome.points]),
        (waiting, [point.ready for point in outcome.points]),
    ):
        axis.step(times, counts, color=color, linewidth=width, where="post")
    # Two hundred points draw the curve of any number of jobs.
    parts = [number / 200 for number in range(1, 201)]
    seconds = [outcome.latency(part) for part in parts]
    latencies.step(seconds, parts, color=color, linewidth=width, label=row.name)
