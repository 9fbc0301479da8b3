"""Job modules written into files, so that errors have a file and a line, and a registry
per test."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zerog.sdk.registry import REGISTRY


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the test an empty registry and forget the modules that it imports."""
    monkeypatch.setattr(REGISTRY, "types", {})
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("jobs_under_test"):
            del sys.modules[name]


@pytest.fixture
def write_module(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a job module and returns its path."""

    def write(text: str, name: str = "jobs_under_test") -> Path:
        path = tmp_path / f"{name}.py"
        path.write_text("import zerog\n" + textwrap.dedent(text).lstrip("\n"))
        return path

    return write
