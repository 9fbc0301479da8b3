"""Only the ledger writes job documents: that is how each step of a job's life is one
compare-and-swap, whoever takes it.

Writes are looked for in the syntax of the sources: so one is found that no test happens to run.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = [
    "jobrunner/src/zerog",
    "api/src/zerog_api",
    "operator/src/zerog_operator",
    "simulate/src/zerog_simulate",
]
WRITERS = "jobrunner/src/zerog/ledger/"
WRITES = {"insert", "replace", "upsert", "patch", "remove", "expire"}
#: What turns records into documents and back.
CODEC = "zerog.ledger.codec"


def modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    for source in SOURCES:
        for path in sorted((root / source).rglob("*.py")):
            yield str(path.relative_to(root)), ast.parse(path.read_text())


def writes_to_jobs(tree: ast.AST) -> list[str]:
    """Return the calls that write to the collection `jobs`: method and line."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=method)) if method in WRITES:
                named = [item.value for item in node.keywords if item.arg == "collection"]
                match [*node.args[:1], *named]:
                    case [ast.Constant("jobs"), *_]:
                        found.append(f"{method}, line {node.lineno}")
    return found


def imports_the_codec(tree: ast.AST) -> bool:
    package, _, name = CODEC.rpartition(".")
    for node in ast.walk(tree):
        match node:
            case ast.Import(names) if any(item.name == CODEC for item in names):
                return True
            case ast.ImportFrom(module=module, names=names):
                inside = module == package and any(item.name == name for item in names)
                if module == CODEC or inside:
                    return True
    return False


def test_nothing_but_the_ledger_writes_job_documents(root: Path) -> None:
    writers = {
        name: found
        for name, tree in modules(root)
        if (found := writes_to_jobs(tree)) and not name.startswith(WRITERS)
    }

    assert not writers


def test_nothing_but_the_ledger_turns_records_into_documents(root: Path) -> None:
    assert not [
        name
        for name, tree in modules(root)
        if imports_the_codec(tree) and not name.startswith(WRITERS)
    ]


@pytest.mark.parametrize(
    "line",
    [
        "await store.insert('jobs', uuid, document, durable=True)",
        "await self._store.patch('jobs', uuid, ops, revision=revision)",
        "write = lambda: store.expire('jobs', uuid, 5)",
        "store.remove(collection='jobs', key=uuid)",
    ],
)
def test_a_write_to_the_jobs_is_found(line: str) -> None:
    assert writes_to_jobs(ast.parse(f"async def work():\n    {line}"))


@pytest.mark.parametrize("line", ["store.get('jobs', uuid)", "store.upsert('types', name, {})"])
def test_reads_and_other_collections_are_left_alone(line: str) -> None:
    assert not writes_to_jobs(ast.parse(line))


@pytest.mark.parametrize(
    "line",
    [
        "import zerog.ledger.codec",
        "from zerog.ledger import codec",
        "from zerog.ledger.codec import to_document",
    ],
)
def test_an_import_of_the_codec_is_found(line: str) -> None:
    assert imports_the_codec(ast.parse(line))
