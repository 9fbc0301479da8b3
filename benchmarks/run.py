"""Measure ZeroG and its peers side by side, in one run, on one machine. `make bench` runs it.

Each round measures every system once, so that a machine that gets slower hits all alike;
medians of the rounds are reported. Ratios are what counts, and processor time, which does not
depend on what else the machine does.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Literal

from benchmarks.load import Load, LoadError
from benchmarks.report import Report
from benchmarks.systems import BASE, PEERS, ROOT, System, running, seconds_of

CONNECTIONS = 32
WARM_UP = 200
#: Jobs that are followed one by one.
IDLE_JOBS = 200
#: Who waits for many jobs asks rarely, so that asking takes nothing from the workers.
FINISH_PAUSE_SECONDS = 0.02


def measure_floor(load: Load, requests: int) -> dict[str, float]:
    """Return the requests a second of Tornado with nothing behind it (`benchmarks.floor`)."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.floor"], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        paths = "/v1/jobs/Noop", "/v1/jobs/{}/progress"
        load.order("post", port, paths, WARM_UP, connections=CONNECTIONS)
        at = [seconds_of(server.pid)]
        posted = load.order("post", port, paths, requests, connections=CONNECTIONS)
        at.append(seconds_of(server.pid))
        got = load.order("get", port, paths, requests, connections=CONNECTIONS)
        at.append(seconds_of(server.pid))
        return {
            "post_per_second": requests / posted.seconds,
            "post_processor_ms": 1000 * (at[1] - at[0]) / requests,
            "get_per_second": requests / got.seconds,
            "get_processor_ms": 1000 * (at[2] - at[1]) / requests,
        }
    finally:
        server.kill()
        server.wait()


class Measuring:
    """What is measured of one running system."""

    def __init__(self, system: System, load: Load, jobs: int) -> None:
        self._system = system
        self._load = load
        self._jobs = jobs

    def measure(self) -> dict[str, float]:
        """Measure everything once."""
        self._system.wait_until_it_works(self._load)
        self._stored(WARM_UP)
        figures = self._stored(self._jobs) | self._gets() | self._idle()
        figures["worker_megabytes"] = self._system.worker_megabytes()
        self._system.stop_worker()
        return figures | self._posts()

    def _stored(self, jobs: int) -> dict[str, float]:
        """From the first POST until every result can be read."""
        system, load = self._system, self._load
        before = system.processor_seconds()
        posted = load.order("post", system.port, system.paths, jobs, connections=CONNECTIONS)
        finished = load.order(
            "finish", system.port, system.paths, connections=4, pause_seconds=FINISH_PAUSE_SECONDS
        )
        after = system.processor_seconds()
        seconds = posted.seconds + finished.seconds
        parts = {f"stored_{part}_ms": 1000 * (after[part] - before[part]) / jobs for part in before}
        generator = posted.processor + finished.processor
        return {"stored_per_second": jobs / seconds, "load_share": generator / seconds, **parts}

    def _gets(self) -> dict[str, float]:
        return self._of_api("get", 2 * self._jobs)

    def _posts(self) -> dict[str, float]:
        """Without workers alongside, what the API takes by itself."""
        return self._of_api("post", self._jobs)

    def _of_api(self, kind: Literal["get", "post"], requests: int) -> dict[str, float]:
        """Return requests a second, and the API's processor time for each."""
        system = self._system
        before = system.processor_seconds()["api"]
        done = self._load.order(kind, system.port, system.paths, requests, connections=CONNECTIONS)
        processor = system.processor_seconds()["api"] - before
        return {
            f"{kind}_per_second": requests / done.seconds,
            f"{kind}_processor_ms": 1000 * processor / requests,
        }

    def _idle(self) -> dict[str, float]:
        """From POST to result, one job at a time."""
        system = self._system
        latencies = self._load.order("follow", system.port, system.paths, IDLE_JOBS).latencies
        return {
            "idle_p50_ms": statistics.median(latencies) * 1000,
            "idle_p99_ms": sorted(latencies)[int(len(latencies) * 0.99)] * 1000,
        }


def medians_of(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure."""
    return {key: statistics.median([figures[key] for figures in rounds]) for key in rounds[0]}


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--base", type=Path, help="another checkout: measured, nothing is written")
    parser.add_argument("--jobs", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    names = ["zerog", BASE] if options.base else options.peers.split(",")
    results: dict[str, list[dict[str, float]]] = {}
    floors: list[dict[str, float]] = []
    with Load() as load:
        for number in range(options.rounds):
            floors.append(measure_floor(load, 2 * options.jobs))
            for name in names:
                print(f"round {number + 1} of {options.rounds}: {name}", flush=True)
                try:
                    with running(name, options.base) as system:
                        result = Measuring(system, load, options.jobs).measure()
                except LoadError as error:
                    print(f"  left out: {error}", flush=True)
                    continue
                results.setdefault(name, []).append(result)
                print("  " + "  ".join(f"{key} {value:.3f}" for key, value in result.items()))
    medians = {name: medians_of(rounds) for name, rounds in results.items()}
    report = Report(options.rounds, options.jobs, medians, floor=medians_of(floors))
    if options.base is None:
        report.write(ROOT)
    else:
        print(report.table())


if __name__ == "__main__":
    main()
