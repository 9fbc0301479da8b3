"""What a run took: its own, not what an earlier run of the same process took."""

import subprocess
import sys
from pathlib import Path

import pytest

from zerog.child import cost
from zerog.child.cost import Gauge, Meter
from zerog.child.protocol import EndFrame
from zerog.model.events import Returned
from zerog.model.record import Cost

MIB = 1 << 20


def measured(gauge: Gauge, megabytes: int = 0) -> Cost:
    """Measure a run that uses memory for a moment."""
    gauge.begin()
    bytearray(megabytes * MIB)
    return gauge.end()


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux's /proc")
def test_a_small_run_after_a_large_one_has_its_own_peak() -> None:
    gauge = Gauge()
    large, small = measured(gauge, 300), measured(gauge)

    assert large.peak_bytes is not None
    assert small.peak_bytes is not None
    assert large.peak_bytes - small.peak_bytes > 200 * MIB


def test_a_peak_that_cannot_be_told_from_an_earlier_one_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cost, "_reset_peak", lambda: False)
    gauge = Gauge()
    measured(gauge, 300)

    small, larger = measured(gauge), measured(gauge, 600)

    assert small.peak_bytes is None
    assert larger.peak_bytes is not None
    assert larger.peak_bytes > 600 * MIB


def test_processes_that_a_run_waited_for_count() -> None:
    gauge = Gauge()
    gauge.begin()
    code = "x = bytearray(700 << 20)\nwhile __import__('time').process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", code], check=True)
    took = gauge.end()

    assert took.peak_bytes is not None
    assert took.peak_bytes > 700 * MIB
    assert took.cpu_seconds is not None
    assert took.cpu_seconds >= 0.3


def end(cpu: float, total: float, peak: int | None) -> EndFrame:
    return EndFrame("run", Returned(1), None, 0, cpu, peak, total)


def test_the_run_in_which_a_child_died_took_what_the_others_did_not() -> None:
    meter = Meter()
    meter.of_end(end(1.0, 1.5, 100))

    assert meter.of_death(200, 4.0) == Cost(2.5, 200)


@pytest.mark.parametrize(
    ("max_rss_bytes", "cpu_seconds", "known"),
    [(0, None, Cost()), (100, 0.5, Cost(0.0, 100)), (0, 2.0, Cost(0.5, None))],
)
def test_what_the_kernel_does_not_tell_of_a_death_is_unknown(
    max_rss_bytes: int, cpu_seconds: float | None, known: Cost
) -> None:
    meter = Meter()
    meter.of_end(end(1.0, 1.5, 100))

    assert meter.of_death(max_rss_bytes, cpu_seconds) == known


def test_a_childs_last_peak_is_unknown_where_it_cannot_reset_it() -> None:
    meter = Meter()
    meter.of_end(end(1.0, 1.0, None))

    assert meter.of_death(100, 2.0) == Cost(1.0, None)
