"""The clusters' programs are built once for each state of their pins, whoever asks."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.cluster.fixtures import skip_or_fail

from zerog_tools.cluster import binaries, go
from zerog_tools.cluster.binaries import ALL, MODULES, BuildError, Tool, ensure_built

PROGRAM = (
    'package main\n\nimport "fmt"\n\nvar word = "plain"\n\nfunc main() { fmt.Println(word) }\n'
)
ASK = """
import sys
from zerog_tools.cluster.binaries import Tool, ensure_built
ensure_built([Tool("hello", sys.argv[1], "hello.invalid/hello")])
"""


@pytest.fixture
def hello(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """A program that is built in a moment, with a cache of its own."""
    try:
        go_binary = go.find_go(binaries.cache_folder())
    except go.GoMissingError as error:
        skip_or_fail(str(error))
    # The compiler's own cache would move too, and the standard library be built each time.
    compiled = subprocess.check_output([go_binary, "env", "GOCACHE"], text=True).strip()
    monkeypatch.setenv("GOCACHE", compiled)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{go_binary.parent}:/usr/bin:/bin")
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "go.mod").write_text("module hello.invalid/hello\n\ngo 1.26.0\n")
    (folder / "go.sum").write_text("")
    (folder / "main.go").write_text(PROGRAM)
    return Tool("hello", str(folder), "hello.invalid/hello", "-X main.word=stamped")


def run(path: Path) -> str:
    return subprocess.run([path], capture_output=True, text=True, check=True).stdout.strip()


def test_a_binary_is_built_with_its_stamps_and_kept(hello: Tool) -> None:
    said: list[str] = []

    ensure_built([hello], said.append)
    ensure_built([hello], said.append)

    assert run(hello.path) == "stamped"
    assert [text.split()[0] for text in said] == ["building", "built"]


def test_processes_that_ask_at_once_build_once(hello: Tool) -> None:
    plain = Tool("hello", hello.folder, hello.package)
    asking = [
        subprocess.Popen([sys.executable, "-c", ASK, hello.folder], stderr=subprocess.PIPE)
        for _ in range(3)
    ]

    said = b"".join(process.communicate(timeout=100)[1] for process in asking).decode()

    assert [process.returncode for process in asking] == [0, 0, 0], said
    assert said.count("built hello") == 1
    assert run(plain.path) == "plain"


def test_a_changed_pin_or_flag_is_another_binary(hello: Tool) -> None:
    before = {hello.path, Tool("hello", hello.folder, hello.package, "-s").path}

    Path(hello.folder, "go.sum").write_text("\n")

    assert len(before | {hello.path}) == 3


def test_a_failed_build_is_told_and_leaves_nothing(hello: Tool) -> None:
    Path(hello.folder, "main.go").write_text("package main\n\nfunc main() { no }\n")

    with pytest.raises(BuildError, match="undefined: no"):
        ensure_built([hello], print)

    assert [path.name for path in hello.directory.iterdir()] == [".lock"]


def test_without_go_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bin" / "go"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho go1.19.8\n")
    old.chmod(0o755)
    monkeypatch.setattr(go, "FIXED_PLACES", ())
    monkeypatch.setenv("PATH", str(old.parent))

    with pytest.raises(go.GoMissingError, match=r"bin/go is 1\.19\.8.*make cluster-binaries"):
        go.find_go(tmp_path)


@pytest.mark.parametrize("folder", [path.name for path in MODULES.iterdir() if path.is_dir()])
def test_every_module_is_pinned_with_its_sums(folder: str) -> None:
    sums = (MODULES / folder / "go.sum").read_text()
    pinned = (MODULES / folder / "go.mod").read_text()

    if folder in {tool.folder for tool in ALL.values()}:
        # A program of somebody else's, or a small one of ours around their packages.
        assert "tool " in pinned or (MODULES / folder / "main.go").exists()
    assert " h1:" in sums
    # A folder of this machine in place of a module would be verified by nobody.
    assert "=> ." not in pinned
    assert "=> /" not in pinned
