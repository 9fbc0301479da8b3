"""A container image with one static program, as an archive that containerd imports.

The sandbox of every pod needs an image whose program waits; here it is Debian's static
busybox, so no registry is asked.
"""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from zerog_tools.cluster.process import ClusterError

BUSYBOX = Path("/bin/busybox")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def build_pause_archive(path: Path, image: str) -> None:
    """Write the archive of an image that waits for ever.

    Raises:
        ClusterError: The static busybox is not installed.
    """
    if not BUSYBOX.exists():
        raise ClusterError("busybox is missing: run `apt-get install busybox-static`")
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        _add(tar, "busybox", BUSYBOX.read_bytes(), mode=0o755)
    content = layer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    config = {
        "architecture": _ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {"Entrypoint": ["/busybox", "sleep", "infinity"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [image], "Layers": ["layer.tar"]}]
    with tarfile.open(path, mode="w") as tar:
        _add(tar, "layer.tar", content)
        _add(tar, "config.json", json.dumps(config).encode())
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
