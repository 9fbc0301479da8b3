"""Which Debian packages images have, and whether they are those that `images/debian.lock` names.

Debian's archive drops a version as soon as it has a newer one. A build that asked for versions
would therefore break with every update of Debian, security updates first. So a build uses what the
archive has, apt checks its signatures, and `zerog_tools.images.lock` compares the result with
the lock.
"""

from collections.abc import Iterable, Mapping

from zerog_tools.repository import ROOT

SUITE = "bookworm"
LOCK = ROOT / "images" / "debian.lock"
#: usr-is-merged saves the 70 MB of Perl that merge a file system which is merged already.
PACKAGES = "usr-is-merged,ca-certificates,python3,python3-venv"
BASE_OPTIONS = (
    "--variant=minbase",
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    f"--include={PACKAGES}",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
)
HEADER = (
    "# Debian's packages in the images: name, version, architecture. Written by `make image-lock`."
)

#: The fields of a package in dpkg's database.
Package = Mapping[str, str]


def format_lock(packages: Iterable[Package]) -> str:
    """Return the lock of these packages, each once."""
    lines = {f"{item['Package']} {item['Version']} {item['Architecture']}" for item in packages}
    return "\n".join([HEADER, *sorted(lines)]) + "\n"


def find_differences(lock: str, packages: Iterable[Package]) -> list[str]:
    """Return a sentence for each package that is not as the lock has it, or only in the lock."""
    written = _read(lock)
    found = _read(format_lock(packages))
    return [
        f"Debian's {name} is {found.get(name, 'not in the images')}, "
        f"in images/debian.lock {written.get(name, 'it is missing')}"
        for name in sorted(written.keys() | found.keys())
        if written.get(name) != found.get(name)
    ]


def _read(lock: str) -> dict[str, str]:
    lines = [line for line in lock.splitlines() if not line.startswith("#")]
    return {name: version for name, _, version in (line.partition(" ") for line in lines)}
