"""Build everything of a release twice, from nothing, and compare: images, wheels, archives, chart.

The two builds share no cache, and differ in what must not matter: the time, its zone, the language
and the mask of new files. Two images are the same if they have one identity: the hash of the
configuration, which lists the hashes of the layers. The digest that a registry shows depends on
the program that compressed the layers, too. Images are built by buildah: docker's have the time of
their build.

Each difference is shown file by file. Both builds use Debian's archive as it is now. If it changes
in between, the files of the changed package differ.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from zerog_tools.repository import ROOT

#: What two builders may have differently: the mask of new files, and the environment.
SURROUNDINGS = (
    (0o022, {"TZ": "UTC", "LC_ALL": "C"}),
    (0o077, {"TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8"}),
)
#: So many files of a layer are named.
SHOWN = 20


def read_identity(archive: Path) -> str:
    """Return an image's identity, as `docker images` and `podman images` show it."""
    with tarfile.open(archive) as image:
        (manifest,) = json.load(_open(image, "manifest.json"))
        return hashlib.sha256(_open(image, manifest["Config"]).read()).hexdigest()


def compare_images(first: Path, second: Path) -> list[str]:
    """Return what differs between two images; nothing if they are the same byte by byte."""
    if read_identity(first) == read_identity(second):
        return []
    with tarfile.open(first) as one, tarfile.open(second) as other:
        manifests = [json.load(_open(image, "manifest.json"))[0] for image in (one, other)]
        configs = [
            _open(image, manifest["Config"]).read()
            for image, manifest in zip((one, other), manifests, strict=True)
        ]
        found = [] if configs[0] == configs[1] else ["the configuration differs"]
        layers = [manifest["Layers"] for manifest in manifests]
        if len(layers[0]) != len(layers[1]):
            return [*found, f"{len(layers[0])} and {len(layers[1])} layers"]
        for number, names in enumerate(zip(*layers, strict=True)):
            with (
                tarfile.open(fileobj=_open(one, names[0])) as left,
                tarfile.open(fileobj=_open(other, names[1])) as right,
            ):
                found += [f"layer {number}: {text}" for text in compare_files(left, right)]
        return found


def compare_files(left: tarfile.TarFile, right: tarfile.TarFile) -> Iterator[str]:
    """Yield what differs between two layers."""
    one, other = dict(_describe(left)), dict(_describe(right))
    names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    for name in names[:SHOWN]:
        yield f"{name}: {one.get(name, 'missing')} and {other.get(name, 'missing')}"
    if len(names) > SHOWN:
        yield f"and {len(names) - SHOWN} files more"
    if not names and list(one) != list(other):
        yield "the order of the files"


def _describe(layer: tarfile.TarFile) -> Iterator[tuple[str, str]]:
    for entry in layer:
        content = hashlib.sha256()
        if entry.isfile():
            content.update(_open(layer, entry).read())
        who = f"{entry.uid}:{entry.gid} {entry.mode:o}"
        yield entry.name, f"{who} {entry.mtime} {entry.linkname}{content.hexdigest()[:12]}"


def _open(archive: tarfile.TarFile, name: str | tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is not a file of the archive")
    return file


def compare_builds(first: Path, second: Path) -> list[str]:
    """Return what differs between the files of two builds, and show what is the same."""
    found = []
    folders = (first, second)
    names = [{str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
             for folder in folders]  # fmt: skip
    found += [f"{name} is in one build only" for name in sorted(names[0] ^ names[1])]
    for name in sorted(names[0] & names[1]):
        one, other = first / name, second / name
        if name.endswith(".tar"):
            differences = compare_images(one, other)
            identity = read_identity(one)
        else:
            identity = hashlib.sha256(one.read_bytes()).hexdigest()
            differences = [] if one.read_bytes() == other.read_bytes() else ["other bytes"]
        print(f"{'DIFFERS' if differences else 'same':8}{name:44} {identity}", flush=True)
        found += [f"{name}: {text}" for text in differences]
    return found


def build(folder: Path, mask: int, environment: dict[str, str], *, images: bool) -> Path:
    """Build into an empty folder; return where the files are that a release has."""
    made = folder / "made"
    made.mkdir(parents=True)
    env = {"IMAGE_BUILDER": "buildah", **os.environ, **environment, "DIST": str(made / "dist")}
    _run(["bash", "hack/package.sh"], env, mask)
    if images:
        # Not for the chart: what packs it was built before, from go.sum.
        env["XDG_CACHE_HOME"] = str(folder / "cache")
        _run([sys.executable, "-m", "zerog_tools.images.build"], env, mask)
    for path in (folder / "cache").glob("zerog/images/build-*/*"):
        if path.suffix in (".tar", ".json"):
            (made / path.name).hardlink_to(path)
    # The builder's storage takes gigabytes.
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return made


def _run(command: list[str], env: dict[str, str], mask: int) -> None:
    subprocess.run(command, cwd=ROOT, env=env, umask=mask, check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """Build all of a release twice and compare."""
    parser = argparse.ArgumentParser(prog="zerog_tools.release.reproduce", description=main.__doc__)
    parser.add_argument("--packages", action="store_true", help="only wheels, archives and chart")
    only: bool = parser.parse_args().packages
    work = Path(tempfile.mkdtemp(prefix="zerog-reproduce-"))
    try:
        made = [
            build(work / str(number), mask, environment, images=not only)
            for number, (mask, environment) in enumerate(SURROUNDINGS)
        ]
        differences = compare_builds(*made)
    finally:
        shutil.rmtree(work)
    for text in differences:
        print(text, file=sys.stderr)
    return int(bool(differences))


if __name__ == "__main__":
    sys.exit(main())
