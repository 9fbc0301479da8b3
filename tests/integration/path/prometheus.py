"""A real Prometheus that scrapes a run of the tests, with the chart's alerts made impatient."""

import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import yaml
from tests.chart.promtool import find_prometheus

from zerog_tools.cluster.ports import free_port
from zerog_tools.repository import CHART

#: How long an alert waits, a range or a threshold of waiting in the chart, and in a test.
IMPATIENT = (
    (r"\bfor: \w+", "for: 0s"),
    (r"\[(5|15)m\]", "[15s]"),
    (r"\[[16]h\]", "[2m]"),
    (r"> 3600\b", "> 1"),
)
STOP_SECONDS = 60.0


def impatient_alerts() -> str:
    """Return the chart's rules, in which minutes and hours are seconds."""
    text = (CHART / "files/alerts.yaml").read_text()
    for patient, soon in IMPATIENT:
        assert re.search(patient, text), patient
        text = re.sub(patient, soon, text)
    return text


class Prometheus:
    """The server. It scrapes and evaluates as often as it can."""

    def __init__(self, folder: Path, targets: dict[str, list[str]]) -> None:
        """`targets` are hosts and ports, by the names of their jobs."""
        folder.mkdir()
        (folder / "alerts.yaml").write_text(impatient_alerts())
        config = {
            # A machine that is busy with other tests answers late.
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s",
                       "evaluation_interval": "500ms"},
            "rule_files": ["alerts.yaml"],
            "scrape_configs": [
                {"job_name": name, "static_configs": [{"targets": addresses}]}
                for name, addresses in targets.items()
            ],
        }  # fmt: skip
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        port = free_port()
        with (folder.parent / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    find_prometheus(),
                    "--config.file=prometheus.yaml",
                    "--storage.tsdb.path=data",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                process_group=0,
            )  # fmt: skip
        url = f"http://127.0.0.1:{port}/api/v1"
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=60.0)

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return what an expression gives now: labels and value; nothing while it starts."""
        try:
            answer: Any = self._http.get("/query", params={"query": expression})
        except httpx.HTTPError:
            return []
        if not answer.is_success:
            return []
        found = answer.json()["data"]["result"]
        return [(item["metric"], float(item["value"][1])) for item in found]

    def value(self, expression: str) -> float | None:
        """Return the one value that an expression gives now; None: it gives none."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        found = self.query('ALERTS{alertstate="firing"}')
        return {labels["alertname"] for labels, _ in found}

    def close(self) -> None:
        """End it."""
        self._http.close()
        self._process.kill()
        self._process.wait(STOP_SECONDS)
