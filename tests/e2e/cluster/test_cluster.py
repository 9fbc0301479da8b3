"""One command from nothing to a job's result: `make cluster`."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.cluster.fixtures import skip_or_fail

from zerog_tools.kind.engine import find_problem

ROOT = Path(__file__).parents[3]
#: Images and programs may have to be built first.
SECONDS = 1500.0


@pytest.mark.timeout(SECONDS + 60)
def test_one_command_leads_to_a_jobs_result_and_leaves_nothing() -> None:
    if problem := find_problem():
        skip_or_fail(problem)

    done = subprocess.run(
        ["bash", "hack/cluster.sh"], cwd=ROOT, env={**os.environ, "RUN_ONCE": "1"},
        capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert '"resultCode": 200' in done.stdout
    assert "kubectl -n zerog get zwp,pods" in done.stdout
    (kubeconfig,) = re.findall(r"export KUBECONFIG=(\S+)", done.stdout)
    assert not Path(kubeconfig).exists()
