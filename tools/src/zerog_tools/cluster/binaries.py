"""The programs a cluster is made of, built from their public Go modules.

Each folder of `tools/go` is a Go module that pins one program and everything it is made
of; Go checks every module against go.sum and the checksum database, which must never be
switched off. What is built is kept outside the repository, under a key made of go.mod,
go.sum and the flags, so a change of a pin builds anew and an old build stays usable.

Several test processes may ask at once: one builds under a lock, the others wait for it.
A binary appears under its name only when it is complete.
"""

import argparse
import fcntl
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zerog_tools.cluster.go import GoMissingError, find_go
from zerog_tools.repository import ROOT

MODULES = ROOT / "tools" / "go"
KUBERNETES_VERSION = "1.36.3"
#: How often a build says that it is still going on.
PROGRESS_SECONDS = 10.0

Say = Callable[[str], None]


def build_kubernetes_flags(version: str) -> str:
    """Return linker flags that stamp the version; unstamped binaries say v0.0.0."""
    major, minor, _ = version.split(".")
    values = {
        "gitVersion": f"v{version}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitCommit": "none",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    stamps = [
        f"-X {package}.{key}={value}" for package in packages for key, value in values.items()
    ]
    return " ".join(["-s -w", *stamps])


@dataclass(frozen=True, slots=True)
class Tool:
    """A program, the folder of `tools/go` that pins it, and how it is linked."""

    name: str
    folder: str
    package: str
    linker_flags: str = "-s -w"
    #: Its module and folders in it, e.g. of CRDs, that are kept beside the binary.
    module: str = ""
    folders: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """The binary's folder: one for each state of the pins and flags."""
        module = MODULES / self.folder
        flags = " ".join([self.linker_flags, platform.machine(), *self.folders])
        key = hashlib.sha256(flags.encode())
        for file in sorted([*module.glob("go.*"), *module.rglob("*.go")]):
            key.update(file.read_bytes())
        return cache_folder() / f"{module.name}-{key.hexdigest()[:16]}"

    @property
    def path(self) -> Path:
        """Where the binary is, or will be."""
        return self.directory / self.name


def _build_kubernetes_tool(name: str) -> Tool:
    flags = build_kubernetes_flags(KUBERNETES_VERSION)
    return Tool(name, "k8s", f"k8s.io/kubernetes/cmd/{name}", flags)


_KEDA = "github.com/kedacore/keda/v2"
ALL = {
    tool.name: tool
    for tool in (
        Tool("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
        _build_kubernetes_tool("kube-apiserver"),
        _build_kubernetes_tool("kube-controller-manager"),
        _build_kubernetes_tool("kubectl"),
        _build_kubernetes_tool("kube-scheduler"),
        _build_kubernetes_tool("kubelet"),
        _build_kubernetes_tool("kube-proxy"),
        _build_kubernetes_tool("kubeadm"),
        Tool("kind", "kind", "sigs.k8s.io/kind"),
        Tool("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
        Tool("coredns", "coredns", "."),
        Tool("helm", "helm", "helm.sh/helm/v3/cmd/helm"),
        Tool("actionlint", "actionlint", "github.com/rhysd/actionlint/cmd/actionlint"),
        Tool(
            "kueue",
            "kueue",
            "sigs.k8s.io/kueue/cmd/kueue",
            module="sigs.k8s.io/kueue",
            folders=("config/components/crd/bases", "config/components/webhook"),
        ),
        Tool(
            "karpenter",
            "karpenter",
            "sigs.k8s.io/karpenter/kwok",
            module="sigs.k8s.io/karpenter",
            folders=("kwok/apis/crds", "pkg/apis/crds"),
        ),
        Tool(
            "keda-operator",
            "keda",
            f"{_KEDA}/cmd/operator",
            module=_KEDA,
            folders=("config/crd/bases",),
        ),
        Tool(
            "keda-adapter",
            "keda",
            f"{_KEDA}/cmd/adapter",
            module=_KEDA,
            folders=("config/crd/bases",),
        ),
    )
}
#: What each layer of clusters needs.
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
NODES = ("kube-scheduler", "kwok")
INSTALLER = ("helm",)
#: Not for clusters: `make verify` checks the workflows by it.
CHECKER = ("actionlint",)
#: What other programs do to the pods of a pool. Built when a test first needs them: minutes.
NEIGHBOURS = ("kueue", "karpenter")
#: What `make keda` measures ZeroG against.
KEDA = ("keda-operator", "keda-adapter")


class BuildError(Exception):
    """A binary could not be built; the message ends with what the compiler said."""


def cache_folder() -> Path:
    """Return the folder of everything that is built or fetched for test clusters."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "zerog" / "cluster"


def print_progress(text: str) -> None:
    """Show a line of progress at once."""
    print(text, file=sys.stderr, flush=True)


def ensure_binaries(names: Iterable[str], say: Say = print_progress) -> dict[str, Path]:
    """Return the paths of these binaries, building what is missing. Blocks for minutes then.

    Raises:
        GoMissingError: Something must be built and no Go is there.
        BuildError: The build failed.
    """
    tools = [ALL[name] for name in names]
    ensure_built(tools, say)
    return {tool.name: tool.path for tool in tools}


def ensure_built(tools: Iterable[Tool], say: Say = print_progress) -> None:
    """Build those of the tools that are missing; see `ensure_binaries`."""
    by_directory: dict[Path, list[Tool]] = {}
    for tool in tools:
        if not tool.path.exists():
            by_directory.setdefault(tool.directory, []).append(tool)
    for directory, missing in by_directory.items():
        directory.mkdir(parents=True, exist_ok=True)
        with locked(directory / ".lock", say):
            _build([tool for tool in missing if not tool.path.exists()], say)


@contextmanager
def locked(path: Path, say: Say) -> Iterator[None]:
    """Keep other processes from building the same while the context lasts."""
    # The kernel drops the lock with its process, so a killed build blocks nobody.
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process is building in {path.parent}, waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(tools: Sequence[Tool], say: Say) -> None:
    """Build programs of one module, in one run since they share most of their packages."""
    if not tools:
        return
    go = find_go(cache_folder())
    started = time.monotonic()
    names = ", ".join(tool.name for tool in tools)
    say(f"building {names} with {go}: minutes the first time, then never again")
    directory = tools[0].directory
    with tempfile.TemporaryDirectory(dir=directory, prefix=".build-") as folder:
        command = [str(go), "build", "-v", "-trimpath", "-ldflags", tools[0].linker_flags]
        packages = [tool.package for tool in tools]
        # With one package the name of the program is not always that of its package.
        output = f"{folder}/{tools[0].name}" if len(tools) == 1 else f"{folder}/"
        run_build(
            [*command, "-o", output, *packages], names, say,
            folder=MODULES / tools[0].folder, unit="packages fetched or compiled",
        )  # fmt: skip
        for tool in tools:
            _keep_folders(go, tool)
            made = tool.name if len(tools) == 1 else tool.package.rpartition("/")[2]
            os.replace(Path(folder) / made, tool.path)
    say(f"built {names} in {time.monotonic() - started:.0f} s, kept in {directory}")


def _keep_folders(go: Path, tool: Tool) -> None:
    if not tool.folders:
        return
    command = [str(go), "list", "-m", "-f", "{{.Dir}}", tool.module]
    found = subprocess.run(
        command, cwd=MODULES / tool.folder, env=build_environment(), capture_output=True, text=True
    )
    if found.returncode:
        raise BuildError(f"{tool.module} is not found: {found.stderr}")
    module = Path(found.stdout.strip())
    for source in (file for folder in tool.folders for file in (module / folder).rglob("*.yaml")):
        # Files and folders of Go's module cache are read-only; copies are to be removable.
        kept = tool.directory / source.relative_to(module)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(source.read_bytes())


def build_environment() -> dict[str, str]:
    """Return the environment of a build: nothing but the pins decides what is built."""
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOWORK": "off",
    }


def run_build(
    command: Sequence[str],
    what: str,
    say: Say,
    *,
    folder: Path | None = None,
    unit: str = "lines of its log",
) -> None:
    """Run a long command and say how far it is: by the lines that it writes, one for each unit.

    Raises:
        BuildError: It failed; the message ends with what it wrote.
    """
    with tempfile.TemporaryFile("w+b") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=build_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        started = time.monotonic()
        try:
            while True:
                try:
                    process.wait(PROGRESS_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    # The child writes at the file's shared offset, so read without moving it.
                    done = os.pread(log.fileno(), 1 << 26, 0).count(b"\n")
                    say(f"  {what}: {time.monotonic() - started:.0f} s, {done} {unit}")
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        if process.returncode:
            text = os.pread(log.fileno(), 1 << 26, 0).decode(errors="replace")
            tail = "\n".join(text.splitlines()[-20:])
            raise BuildError(f"{what} could not be built in {folder or Path.cwd()}:\n{tail}")


def main() -> int:
    """Build the programs named on the command line, by default those of clusters and checks."""
    parser = argparse.ArgumentParser(prog="zerog_tools.cluster.binaries", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ALL))
    parser.add_argument("--check", action="store_true", help="only fail if any is missing")
    arguments = parser.parse_args()
    names = arguments.names or [*CONTROL_PLANE, *NODES, *INSTALLER, *CHECKER]
    if unknown := [name for name in names if name not in ALL]:
        parser.error(f"unknown: {', '.join(unknown)}")
    if arguments.check:
        return int(any(not ALL[name].path.exists() for name in names))
    try:
        paths = ensure_binaries(names)
    except (BuildError, GoMissingError) as error:
        print(error, file=sys.stderr)
        return 1
    for name, path in paths.items():
        print(f"{name:24} {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
