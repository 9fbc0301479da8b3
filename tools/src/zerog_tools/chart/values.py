"""The chart's values as its authors wrote them: every key with its text and its default.

`values.yaml` is the only source: schema and README are made of it, and a key without a `# --`
text, of its own or of a key above it, is an error.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zerog_tools.repository import CHART

_KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z][A-Za-z0-9]*):")
_TEXT = re.compile(r"^ *# -- (?P<text>.*)$")
_MORE = re.compile(r"^ *# (?P<text>.*)$")
_INDENT = 2

Path_ = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A documented value."""

    path: Path_
    text: str
    default: Any

    @property
    def name(self) -> str:
        """The value's path as `--set` takes it."""
        return ".".join(self.path)


def read_defaults(chart: Path = CHART) -> dict[str, Any]:
    """Return the chart's default values."""
    values: dict[str, Any] = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    return values


def read_values(chart: Path = CHART) -> list[Value]:
    """Return all documented values in the order of the file.

    Raises:
        ValueError: A key has no text.
    """
    text = (chart / "values.yaml").read_text(encoding="utf-8")
    defaults = yaml.safe_load(text)
    found = [Value(path, about, look_up(defaults, path)) for path, about in _read_texts(text)]
    documented = {value.path for value in found}
    for path in leaves(defaults):
        if not any(path[:length] in documented for length in range(1, len(path) + 1)):
            raise ValueError(f"values.yaml: {'.'.join(path)} has no text: write `# -- …` above it")
    return found


def leaves(values: Mapping[str, Any], path: Path_ = ()) -> Iterator[Path_]:
    """Yield the paths of everything that is no mapping, and of empty mappings."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def look_up(values: Mapping[str, Any], path: Path_) -> Any:
    """Return the value at a path."""
    value: Any = values
    for key in path:
        value = value[key]
    return value


def _read_texts(text: str) -> Iterator[tuple[Path_, str]]:
    path: Path_ = ()
    about: list[str] = []
    for line in text.splitlines():
        if match := _TEXT.match(line):
            about = [match["text"]]
        elif about and (match := _MORE.match(line)):
            about.append(match["text"])
        elif match := _KEY.match(line):
            path = (*path[: len(match["indent"]) // _INDENT], match["key"])
            if about:
                yield path, " ".join(about)
            about = []
        else:
            about = []
