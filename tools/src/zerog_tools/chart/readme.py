"""The chart's README: an introduction and a table of the values, made of their own texts."""

import json
from collections.abc import Sequence
from typing import Any

from zerog_tools.chart.values import Value
from zerog_tools.repository import CHART

#: Longer defaults are told as what they are instead.
_MAX_DEFAULT = 60


def render_readme(values: Sequence[Value]) -> str:
    """Return the README."""
    rows = "\n".join(
        f"| `{value.name}` | `{_default(value.default)}` | {_escape(value.text)} |"
        for value in values
    )
    text = (CHART / "README.md.in").read_text(encoding="utf-8")
    return text.replace("@VALUES@\n", f"| Value | Default | Meaning |\n|---|---|---|\n{rows}\n")


def _default(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_DEFAULT else "see values.yaml"


def _escape(text: str) -> str:
    return text.replace("|", "\\|")
