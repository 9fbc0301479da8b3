"""The reference pages are what the code says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_reference_is_made_from_the_code_as_it_is() -> None:
    result = subprocess.run(
        [sys.executable, "hack/reference.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )

    assert result.returncode == 0, result.stderr
