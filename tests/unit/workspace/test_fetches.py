"""Whatever a build fetches is checked by a hash that is in the repository.

Debian's packages are the exception: apt checks the archive's signatures, and `images/debian.lock`
has the versions in the images. What a hosted runner brings along (docker, buildah, kind) is
GitHub's.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

#: A command that fetches, and what it must have; None: it is never used.
FETCHES = {
    r"\bpip3? (install|download|wheel|sync)\b": (
        r"--require-hashes|--no-index|--no-deps --no-build-isolation -e (jobrunner|api|operator)"
    ),
    r"\b(uvx|pipx|npx|uv tool|uv sync|uv add)\b": None,
    r"\bnpm (install|i|add|update|exec)\b": None,
    r"\bgo (install|get|run)\b": None,
    r"\b(curl|wget) (?!--json\b|>)": None,
    r"\bgit clone\b": None,
    r"\b(docker|podman|buildah|skopeo|helm) pull\b": r"\bdocker-archive:",
    r"\bhelm (repo|dependency)\b": None,
    r"\b(apt-get|apt) .*(--allow-unauthenticated|--force-yes|trusted=yes)": None,
    r"\bkindest/node:": r"@sha256:[0-9a-f]{64}\b",
}
#: What an image may stand on without a hash: what `make images` has just built.
OURS = re.compile(r"scratch|\$\{BASE\}|localhost/zerog/\w+:\S+")
PINNED = re.compile(r"\S+@sha256:[0-9a-f]{64}")
#: Each switches Go's checksum database off.
UNCHECKED_GO = re.compile(r"GONOSUM\w+|GOINSECURE|GOPRIVATE|GOSUMDB|GONOPROXY|-insecure\b")


def read_commands(path: Path) -> list[str]:
    """Return the commands of a file: its lines, or a Python module's lists of words and texts."""
    text = path.read_text()
    if path.suffix != ".py":
        lines = re.sub(r"\\\n\s*", " ", text).splitlines()
        return [line for line in lines if not line.lstrip().startswith("#")]
    return list(_read_python(ast.parse(text)))


def _read_python(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items):
                yield " ".join(map(_read_word, items))
            case ast.Assign(value=ast.Constant(value=str(value))):
                yield value


def _read_word(item: ast.expr) -> str:
    match item:
        case ast.Constant(value=value):
            return str(value)
        case ast.JoinedStr(values=parts):
            return "".join(map(_read_word, parts))
    return "…"


def find_unpinned(commands: list[str]) -> list[str]:
    """Return the commands that fetch something which no hash names."""
    return [
        command
        for command in commands
        for fetch, wanted in FETCHES.items()
        if re.search(fetch, command) and (wanted is None or not re.search(wanted, command))
    ]


def find_foreign_images(dockerfile: str) -> list[str]:
    """Return the images that a Dockerfile takes from elsewhere without a hash."""
    stages = re.findall(r"^FROM .* AS (\S+)", dockerfile, re.MULTILINE | re.IGNORECASE)
    named = re.findall(r"^FROM (?:--\S+ )*(\S+)", dockerfile, re.MULTILINE | re.IGNORECASE)
    named += re.findall(r"^(?:COPY|ADD) .*--from=(\S+)", dockerfile, re.MULTILINE)
    named += re.findall(r"\bfrom=([^,\s]+)", dockerfile)
    named += re.findall(r"^ARG BASE=(\S+)", dockerfile, re.MULTILINE)
    return [
        name
        for name in named
        if name not in stages and not OURS.fullmatch(name) and not PINNED.fullmatch(name)
    ]


def builds_something(path: Path, root: Path) -> bool:
    """Return whether a file's commands are run to build or to test."""
    place = path.relative_to(root).as_posix()
    return (
        path.name in ("Dockerfile", "Makefile")
        or place.startswith((".ci/", ".github/"))
        or path.suffix == ".sh"
        or (path.suffix == ".py" and place.startswith(("hack/", "tools/", "tests/couch")))
    )


def test_each_fetch_of_a_build_is_checked_by_a_hash(our_files: list[Path], root: Path) -> None:
    files = [path for path in our_files if builds_something(path, root)]
    unpinned = {path: find_unpinned(read_commands(path)) for path in files}

    assert len(files) > 20
    assert {path: found for path, found in unpinned.items() if found} == {}


def test_images_stand_on_our_own_images(our_files: list[Path]) -> None:
    files = [path for path in our_files if path.name == "Dockerfile"]
    foreign = {path: find_foreign_images(path.read_text()) for path in files}

    assert files
    assert {path: found for path, found in foreign.items() if found} == {}


def test_each_lock_has_a_hash_of_each_package(our_files: list[Path]) -> None:
    python = [path for path in our_files if path.name.endswith((".lock", ".txt"))]
    node = [path for path in our_files if path.name == "package-lock.json"]
    requirements = [
        (path, line)
        for path in python
        for line in re.sub(r"\\\n", " ", path.read_text()).splitlines()
        if re.match(r"[\w.-]+(\[.*\])?==", line)
    ]
    packages = [
        (path, name, package)
        for path in node
        for name, package in json.loads(path.read_text())["packages"].items()
        if name
    ]

    assert requirements
    assert packages
    assert not [item for item in requirements if "--hash=sha256:" not in item[1]]
    assert not [item[:2] for item in packages if "integrity" not in item[2]]


def test_go_checks_each_module(our_files: list[Path], root: Path) -> None:
    modules = [path for path in our_files if path.name == "go.mod"]
    files = [path for path in our_files if builds_something(path, root)]
    unchecked = [path for path in files if UNCHECKED_GO.search(path.read_text())]

    without = [path for path in modules if not path.with_name("go.sum").exists()]

    assert modules
    assert not [path for path in without if "require" in path.read_text()]
    assert unchecked == []


@pytest.mark.parametrize(
    "command",
    [
        "RUN pip install requests",
        ".tools/bin/pip install -q uv",
        "uv pip install -r requirements.txt",
        ".tools/bin/uv tool run --from tool==1.2 tool",
        "npm install",
        "npx tsc",
        "go install example.org/tool@latest",
        "- run: curl -sSL https://example.org/install.sh | sh",
        "git clone https://example.org/tool",
        "docker pull python:3.11",
        "kind create cluster --image kindest/node:v1.30.0",
    ],
)
def test_an_unpinned_fetch_is_found(command: str) -> None:
    assert find_unpinned([command]) == [command]


@pytest.mark.parametrize(
    "line",
    [
        "FROM python:3.11-slim",
        "FROM --platform=linux/amd64 debian:bookworm AS build",
        "FROM scratch\nCOPY --from=docker.io/library/busybox:1 /bin/sh /bin/sh",
        "ARG BASE=python:3.11\nFROM ${BASE}",
    ],
)
def test_a_foreign_image_is_found(line: str) -> None:
    assert find_foreign_images(line)


def test_a_command_in_a_python_list_is_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('run(["pip", "download", "-d", folder, "requests"])\n')

    assert find_unpinned(read_commands(module))
