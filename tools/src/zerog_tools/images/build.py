"""Build ZeroG's container images with docker, podman or buildah, whichever works here.

Everything an image is made of is put together outside of the build: a base of Debian packages
(by mmdebstrap, so that no registry is needed), the locked wheels with their hashes, our own
wheels, a bill of materials of each lock. The build itself needs no network, but for beanstalkd.
Beside each image lies a bill of all that is in it, Debian's packages too (`NAME.cdx.json`).
buildah gives the same bytes from the same sources and packages (`make reproduce`).

What is built is kept outside the repository, under a key made of all that goes into it: a second
run does nothing. `IMAGE_BUILDER` names the builder, `IMAGE_PREFIX` what the images' names begin
with, `IMAGE_BASE` another base with Python 3.11, e.g. a registry's.
"""

import argparse
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zerog_tools.images import bill, debian
from zerog_tools.repository import ROOT

#: Each image, and the folder of its Dockerfile. The base is first: the others stand on it.
FOLDERS = {
    "base": "images/base",
    "beanstalkd": "images/beanstalkd",
    "api": "api",
    "operator": "operator",
    "worker": "jobrunner",
    "example": "examples/image",
}
PREFIX = "localhost/zerog"
LOCKED = ("api", "operator", "worker")
PYTHON = (3, 11)
#: The time of all files and images (2026-01-01), whenever they are built: a label has the revision.
#: It is the same for each release, so that a layer whose files are the same is the same layer.
EPOCH = 1767225600
BUILDERS = ("docker", "buildah", "podman")
#: Steps need no isolation from each other, and containers may not start where we build.
CHROOT = ("--isolation", "chroot", "--layers")
TIMES = (f"--timestamp={EPOCH}",)
#: So many builds are kept; each takes some hundred megabytes.
KEPT = 3
#: Longer than any step takes on a slow machine with a slow mirror.
STEP_SECONDS = 1800.0


class ImageError(Exception):
    """The images were not built; the message says why."""


class CannotBuildError(ImageError):
    """This machine cannot build images; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Images:
    """Where the built images are, and how they are named."""

    folder: Path
    prefix: str
    version: str

    def name(self, image: str) -> str:
        """Return an image's full name, e.g. `localhost/zerog/api:0.1.0`."""
        return f"{self.prefix}/{image}:{self.version}"

    def archive(self, image: str) -> Path:
        """Return the image as a docker archive, which docker, podman and containerd load."""
        return self.folder / f"{image}.tar"


def find_builder() -> str:
    """Return the first builder that works. `ImageError` if none does."""
    if wanted := os.environ.get("IMAGE_BUILDER"):
        return wanted
    for name in BUILDERS:
        if shutil.which(name) and _works([name, "info"]):
            return name
    raise CannotBuildError("images need docker, buildah or podman: e.g. `apt-get install buildah`")


def check_rights(builder: str) -> None:
    """Raise a CannotBuildError where nobody may mount: a base and builds without docker do."""
    needed = builder != "docker" or not os.environ.get("IMAGE_BASE")
    if needed and not _works(["unshare", "--mount", "true"]):
        raise CannotBuildError(
            "images need the right to mount: run as root, outside of a container (or have docker, "
            "and name a base of a registry by IMAGE_BASE, e.g. python:3.11-slim-bookworm)"
        )


def image_names() -> list[str]:
    """Return the images that are built here. The example stands on the default names."""
    names = list(FOLDERS)
    if os.environ.get("IMAGE_BASE"):
        names.remove("base")
    if os.environ.get("IMAGE_PREFIX", PREFIX) != PREFIX:
        names.remove("example")
    return names


def ensure_images(names: Sequence[str] = ()) -> Images:
    """Return these images (default: all), building what is missing: minutes the first time.

    Raises:
        CannotBuildError: This machine cannot.
        ImageError: A build failed.
    """
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    prefix = os.environ.get("IMAGE_PREFIX", PREFIX)
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    images = Images(cache / f"build-{_content_key(prefix)}", prefix, version)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [name for name in names or image_names() if not images.archive(name).exists()]
        if missing:
            builder = find_builder()
            check_rights(builder)
            images.folder.mkdir(exist_ok=True)
            context = _make_context(cache, images.folder)
            for name in missing:
                _build(builder, cache, context, images, name)
            shutil.rmtree(context)
        _forget_old(cache, images.folder)
    return images


def cache_folder() -> Path:
    """Return the folder of everything that is built or fetched for images."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "zerog" / "images"


def _content_key(prefix: str) -> str:
    """Return a key of everything that goes into the images."""
    key = hashlib.sha256(f"{prefix} {platform.machine()} {os.environ.get('IMAGE_BASE')}".encode())
    files = [*map(Path, (__file__, bill.__file__, debian.__file__)), debian.LOCK]
    for folder in FOLDERS.values():
        files += (ROOT / folder).glob("*")
        files += (ROOT / folder / "src").rglob("*")
    for path in sorted(files):
        if path.is_file() and path.suffix != ".pyc":
            key.update(f"{path.relative_to(ROOT)} ".encode() + path.read_bytes())
    return key.hexdigest()[:16]


def _make_context(cache: Path, folder: Path) -> Path:
    """Put together what the Dockerfiles copy."""
    context = folder / "context"
    shutil.rmtree(context, ignore_errors=True)
    for part in ("locks", "sboms", "own"):
        (context / part).mkdir(parents=True)
    wheels = _locked_wheels(cache)
    hashes = bill.hash_wheels(wheels)
    for name in LOCKED:
        lock = ROOT / FOLDERS[name] / "requirements.lock"
        shutil.copy(lock, context / "locks" / f"{name}.lock")
        described = bill.describe_locked(lock.read_text(), hashes)
        bill.write_bill(context / "sboms" / f"{name}.cdx.json", described)
        _own_wheel(FOLDERS[name], context / "own")
    shutil.copytree(wheels, context / "wheels", copy_function=os.link)
    shutil.copy(ROOT / "examples/image/greetings.py", context)
    if not os.environ.get("IMAGE_BASE"):
        os.link(_debian(cache), context / "base.tar")
    # Files are copied with their modes, which must not depend on who builds.
    for path in context.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return context


def _own_wheel(folder: str, target: Path) -> None:
    options = ["--wheel", "--no-build-isolation", "--python", ".venv/bin/python"]
    _run([".tools/bin/uv", "build", "-q", *options, "--out-dir", str(target), folder])


def _locked_wheels(cache: Path) -> Path:
    """Fetch the wheels of the locks; pip checks each against its hash, here and in the build."""
    if sys.version_info[:2] != PYTHON:
        raise ImageError(f"wheels for Python {PYTHON} are fetched by the same: make setup with it")
    locks = [ROOT / FOLDERS[name] / "requirements.lock" for name in LOCKED]
    key = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()[:16]
    folder = cache / f"wheels-{key}"
    if not folder.exists():
        new = cache / f".wheels-{key}"
        for lock in locks:
            fetch = [".tools/bin/pip", "download", "--require-hashes", "--only-binary", ":all:"]
            options = ["-q", "--disable-pip-version-check", "--no-deps"]
            _run([*fetch, *options, "-d", str(new), "-r", str(lock)])
        new.rename(folder)
    return folder


def _debian(cache: Path) -> Path:
    """Make a root file system of Debian packages."""
    options = debian.BASE_OPTIONS
    parts = (debian.SUITE, *options, str(EPOCH), debian.LOCK.read_text())
    key = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]
    path = cache / f"base-{key}.tar"
    if not path.exists():
        if shutil.which("mmdebstrap") is None:
            raise CannotBuildError("the base needs mmdebstrap: `apt-get install mmdebstrap`")
        new = cache / f".base-{key}.tar"
        _run(["mmdebstrap", "--quiet", *options, debian.SUITE, str(new)])
        new.rename(path)
    return path


def _build(builder: str, cache: Path, context: Path, images: Images, name: str) -> None:
    """Build one image and keep it as an archive."""
    started = time.monotonic()
    base = os.environ.get("IMAGE_BASE") or images.name("base")
    tag, dockerfile = images.name(name), ROOT / FOLDERS[name] / "Dockerfile"
    arguments = {
        "BASE": base,
        "VERSION": images.version,
        "REVISION": _revision(),
        "SOURCE_DATE_EPOCH": str(EPOCH),
    }
    what = [f"--build-arg={key}={value}" for key, value in arguments.items()]
    what += ["-q", "-t", tag, "-f", str(dockerfile), str(context)]
    new = images.folder / f".{name}.tar"
    new.unlink(missing_ok=True)
    if builder == "buildah":
        storage = ["--root", str(cache / "storage"), "--runroot", str(cache / "run")]
        _run(["buildah", *storage, "build", *CHROOT, "--pull-never", *TIMES, *what])
        _run(["buildah", *storage, "push", "-q", tag, f"docker-archive:{new}:{tag}"])
    else:
        _run([builder, "build", *((*CHROOT, *TIMES) if builder == "podman" else ()), *what])
        _run([builder, "save", "-q", "-o", str(new), tag])
    described = images.folder / f"{name}.cdx.json"
    described.unlink(missing_ok=True)
    # A job image has its worker's packages, and says of its own what it likes.
    locked = context / "sboms" / f"{'worker' if name == 'example' else name}.cdx.json"
    if locked.exists():
        shutil.copy(locked, described)
    bill.add_packages(described, new, debian.SUITE)
    new.rename(images.archive(name))
    size = images.archive(name).stat().st_size / 1e6
    say(f"built {tag} with {builder}: {size:.0f} MB, {time.monotonic() - started:.0f} s")


def _revision() -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def _forget_old(cache: Path, current: Path) -> None:
    os.utime(current)
    builds = sorted(cache.glob("build-*"), key=lambda path: path.stat().st_mtime)
    for old in builds[:-KEPT]:
        shutil.rmtree(old)


def _works(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _run(command: Sequence[str]) -> None:
    try:
        result = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)},
            capture_output=True,
            text=True,
            timeout=STEP_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageError(f"{command[0]}: {error}") from error
    if result.returncode:
        said = "\n".join((result.stdout + result.stderr).splitlines()[-20:])
        raise ImageError(f"{' '.join(command)}: code {result.returncode}\n{said}")


def say(text: str) -> None:
    """Show a line of progress at once."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Build images (default: all) and print where they are."""
    parser = argparse.ArgumentParser(prog="zerog_tools.images.build", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FOLDERS))
    names: list[str] = parser.parse_args().names or image_names()
    if unknown := [name for name in names if name not in FOLDERS]:
        parser.error(f"unknown: {', '.join(unknown)}")
    try:
        images = ensure_images(names)
    except ImageError as error:
        say(f"no images: {error}")
        return 1
    for name in names:
        print(f"{images.name(name):36} {images.archive(name)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
