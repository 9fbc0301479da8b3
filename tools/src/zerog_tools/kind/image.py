"""The image of kind's nodes: kind's own, or one that is built here where that cannot run.

kind's own asks for control groups of version 2 and comes from a registry. Ours is made of Debian's
packages, the Kubernetes that the control plane of the other tests has, and the files in `node/`.
What systemd starts in it is written there; its network and volumes are made by `wiring`.

It is kept in the engine's storage under a name made of all that goes into it.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from zerog_tools.cluster.binaries import (
    ALL,
    KUBERNETES_VERSION,
    Say,
    cache_folder,
    ensure_binaries,
    locked,
    run_build,
)  # fmt: skip
from zerog_tools.cluster.process import ClusterError
from zerog_tools.kind.archive import build_archive
from zerog_tools.kind.engine import Engine, has_first_control_groups

#: kind's own image of the control plane's minor version, as kind's releases name it.
KIND_IMAGE = (
    "kindest/node:v1.36.1@sha256:3489c7674813ba5d8b1a9977baea8a6e553784dab7b84759d1014dbd78f7ebd5"
)
OWN_IMAGE = "localhost/zerog-node"
FOLDER = Path(__file__).parent
FILES = FOLDER / "node"
IMPORT = FOLDER / "import.sh"
NODE_PROGRAMS = ("kubeadm", "kubelet", "kubectl")
CONTROL_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "etcd",
    "coredns",
)
PROGRAMS = (*NODE_PROGRAMS, *CONTROL_PROGRAMS, "kube-proxy")
SUITE = "bookworm"
PACKAGES = (
    "usr-is-merged", "systemd", "ca-certificates", "containerd", "runc", "mount", "procps",
    "containernetworking-plugins", "iptables", "nftables", "iproute2", "busybox-static",
)  # fmt: skip
BASE_OPTIONS = (
    "--variant=minbase",
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    f"--include={','.join(PACKAGES)}",
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "locale", "doc")),
)
#: Units of Debian that have no business in a container.
UNWANTED = ("*.wants/*", "*.requires/*")
IPTABLES = tuple(
    f"{name}tables{rest}" for name in ("ip", "ip6") for rest in ("", "-save", "-restore")
)
IMPORT_SECONDS = 600.0


def ensure_node_image(engine: Engine, say: Say) -> str:
    """Return the name of the image of nodes. Building ours takes minutes, once."""
    if not has_first_control_groups():
        return KIND_IMAGE
    name = f"{OWN_IMAGE}:{_make_key()}"
    cache = cache_folder().with_name("kind")
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / ".lock", say):
        if not engine.has("image", name):
            base = _ensure_base(cache, say)
            binaries = ensure_binaries(PROGRAMS, say)
            with tempfile.TemporaryDirectory(dir=cache, prefix=".node-") as folder:
                _build(engine, name, base, binaries, Path(folder), say)
            _forget_others(engine, name)
    return name


def _make_key() -> str:
    key = hashlib.sha256(" ".join([SUITE, *BASE_OPTIONS]).encode())
    sources = [FOLDER / name for name in ("image.py", "archive.py", "import.sh")]
    for path in sorted([*sources, *FILES.rglob("*")]):
        if path.is_file():
            key.update(str(path.relative_to(FOLDER)).encode() + path.read_bytes())
    for program in PROGRAMS:
        key.update(str(ALL[program].path.parent.name).encode())
    return key.hexdigest()[:16]


def _ensure_base(cache: Path, say: Say) -> Path:
    """Return an archive of Debian's packages."""
    key = hashlib.sha256(" ".join([SUITE, *BASE_OPTIONS]).encode()).hexdigest()[:16]
    path = cache / f"base-{key}.tar"
    if not path.exists():
        new = cache / f".base-{key}.tar"
        say("Debian's packages for a node: a minute or two, once")
        run_build(["mmdebstrap", *BASE_OPTIONS, SUITE, str(new)], "Debian's packages", say)
        for old in cache.glob("base-*.tar"):
            old.unlink()
        new.rename(path)
    return path


def _build(
    engine: Engine, name: str, base: Path, binaries: Mapping[str, Path], folder: Path, say: Say
) -> None:
    """Put the node's file system together and give it to the engine."""
    say("a node's file system is put together: a minute or two, once")
    root = folder / "root"
    root.mkdir()
    _run("tar", "-C", str(root), "--exclude=./dev/*", "-xf", str(base))
    for pattern in UNWANTED:
        for place in ("lib/systemd/system", "etc/systemd/system"):
            for unit in (root / place).glob(pattern):
                unit.unlink()
    shutil.copytree(FILES, root, dirs_exist_ok=True)
    for program in NODE_PROGRAMS:
        shutil.copy(binaries[program], root / "usr/bin" / program)
    (root / "kind/version").write_text(f"v{KUBERNETES_VERSION}")
    (root / "etc/kubernetes/manifests").mkdir(parents=True)
    (root / "etc/systemd/system/default.target").symlink_to("node.target")
    images = root / "images"
    images.mkdir()
    pause = _write_images(root, images, binaries)
    configuration = root / "etc/containerd/config.toml"
    configuration.write_text(configuration.read_text().replace("SANDBOX", pause))
    _run("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", str(IMPORT), str(root))
    _write_base_specification(root)
    shutil.rmtree(images)
    say("the engine gets the node's image")
    archive = folder / "node.tar"
    _run("tar", "-C", str(root), "--numeric-owner", "-cf", str(archive), ".")
    entry = json.dumps(["/usr/local/bin/entrypoint", "/lib/systemd/systemd"])
    # Nothing in a node has to end in good order.
    changes = (f"ENTRYPOINT {entry}", "ENV container=oci", "STOPSIGNAL SIGKILL")
    engine.run("import", *(f"--change={change}" for change in changes), str(archive), name)


def _write_images(root: Path, images: Path, binaries: Mapping[str, Path]) -> str:
    """Write archives of the images that kubeadm asks for, and return the name of `pause`."""
    wanted = _run(
        str(binaries["kubeadm"]), "config", "images", "list",
        f"--kubernetes-version=v{KUBERNETES_VERSION}",
    ).split()  # fmt: skip
    names = {image.rpartition("/")[2].partition(":")[0]: image for image in wanted}
    for program, image in names.items():
        if program == "pause":
            entrypoint, files = ["/busybox", "sleep", "infinity"], {"busybox": root / "bin/busybox"}
        else:
            entrypoint, files = [program], {f"usr/local/bin/{program}": binaries[program]}
        if program == "kube-proxy":
            files |= _find_iptables(root)
        build_archive(images / f"{program}.tar", image, entrypoint, files)
    return names["pause"]


def _find_iptables(root: Path) -> dict[str, Path]:
    """Return iptables and all that it loads, by their paths in an image."""
    program = "usr/sbin/xtables-nft-multi"
    extensions = [str(path.relative_to(root)) for path in root.glob("usr/lib/*/xtables/*.so")]
    # A missing library of an extension would leave kube-proxy without rules, and silent.
    loaded = _run("chroot", str(root), "ldd", *(f"/{path}" for path in (program, *extensions)))
    libraries = {word[1:] for word in loaded.split() if word.startswith("/") and ":" not in word}
    real = {
        name: root / _run("chroot", str(root), "realpath", f"/{name}").strip()[1:]
        for name in sorted(libraries)
    }
    return {
        **real,
        **{path: root / path for path in extensions},
        **{f"usr/sbin/{name}": root / program for name in IPTABLES},
    }


def _write_base_specification(root: Path) -> None:
    """Write what containers get by default: no limits, which only a privileged user may raise."""
    found = json.loads(_run("chroot", str(root), "ctr", "oci", "spec"))
    del found["process"]["rlimits"]
    (root / "etc/containerd/cri-base.json").write_text(json.dumps(found))


def _forget_others(engine: Engine, current: str) -> None:
    for name in engine.run("images", "--format={{.Repository}}:{{.Tag}}").split():
        if name.startswith(f"{OWN_IMAGE}:") and name != current:
            # A cluster of another working copy may be using it.
            with contextlib.suppress(ClusterError):
                engine.run("image", "rm", name)


def _run(*command: str) -> str:
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=IMPORT_SECONDS,
        env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    if result.returncode:
        said = "\n".join(result.stderr.splitlines()[-20:])
        raise ClusterError(f"{' '.join(command)}: code {result.returncode}\n{said}")
    return result.stdout
