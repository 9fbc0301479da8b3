"""The environment is read where a process begins, and its settings are passed down from there."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = ["jobrunner/src", "api/src", "operator/src", "simulate/src"]
#: Modules that read the environment, and why.
EDGES = {
    "zerog/settings.py": "the one reader of settings",
    "zerog/cli/datastore.py": "a command",
    "zerog/cli/target.py": "commands that use the API",
    "zerog/cli/processes.py": "a command",
    "zerog/cli/system.py": "a command",
    "zerog_api/command.py": "a command",
    "zerog_operator/__main__.py": "a command; also the name of its pod, and where its cluster is",
    "zerog_simulate/command.py": "a command",
    "zerog/cli/main.py": "whether a shell asks for completions",
    "zerog/client/network.py": "names the proxies and certificates that httpx reads",
    "zerog/queue/beanstalk/server.py": "hands it to the server that it starts",
    "zerog/dev.py": "hands it to the processes that it starts",
    "zerog/child/launch.py": "hands it to the processes that it starts",
    "zerog/child/nursery.py": "a process begins; whether OpenTelemetry's variables are set",
    "zerog/child/surroundings.py": "whether a job has changed it",
}
READERS = {"environ", "environb", "getenv", "environment"}


def reads_of_the_environment(tree: ast.AST) -> Iterator[int]:
    """Give the lines that read it."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name("os"), attr=name) if name in READERS:
                yield node.lineno
            case ast.ImportFrom(module="os" | "zerog.settings", names=names):
                if any(item.name in READERS for item in names):
                    yield node.lineno


def test_only_the_edges_read_the_environment(root: Path) -> None:
    readers = {
        str(path.relative_to(root / source))
        for source in SOURCES
        for path in (root / source).rglob("*.py")
        if any(reads_of_the_environment(ast.parse(path.read_text())))
    } | {"zerog/settings.py"}

    assert readers == EDGES.keys()


@pytest.mark.parametrize(
    "line",
    [
        "import os; os.environ['A']",
        "import os; os.getenv('A')",
        "from os import environ",
        "from zerog.settings import environment",
    ],
)
def test_a_read_of_the_environment_is_found(line: str) -> None:
    assert list(reads_of_the_environment(ast.parse(line)))
