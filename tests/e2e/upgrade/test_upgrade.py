"""The chart is upgraded under load: every POST is accepted and every job runs once."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

from tests.e2e.installation import Installation

from zerog_tools.repository import CHART

SECONDS = 30.0


def test_an_upgrade_loses_no_post_and_interrupts_no_job(
    zerog: Installation, values: dict[str, Any], tmp_path: Path
) -> None:
    newer = shutil.copytree(CHART, tmp_path / "zerog")
    text = (newer / "Chart.yaml").read_text()
    (newer / "Chart.yaml").write_text(text.replace("version: 0.1.0", "version: 0.1.1", 1))
    accepted: list[str] = []
    service = threading.Thread(
        target=lambda: accepted.extend(
            zerog.call("trickle", "Nap", str(SECONDS), json.dumps({"seconds": 0.5}))
        )
    )

    service.start()
    changed = {"podAnnotations": {"upgraded": "yes"}}
    zerog.install(
        {
            **values,
            "api": {**values["api"], **changed},
            "operator": {**values["operator"], **changed},
        },
        chart=newer,
    )
    service.join()

    assert "0.1.1" in zerog.helm("list")
    assert accepted
    infos = zerog.wait_for_jobs(accepted)
    assert {info["resultCode"] for info in infos} == {200}
    assert {len(info["attempts"]) for info in infos} == {1}
