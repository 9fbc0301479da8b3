"""The bill of materials of a built image: its locked Python packages and its Debian packages.

Python's are those of the lock, with the hash of the wheel that was installed. Debian's are read
from dpkg's database in the image itself, so they are those that are in it, whatever its base is.
The same packages make the same bill, byte by byte: its serial number is made of its components.
"""

import hashlib
import json
import re
import tarfile
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

DATABASE = "var/lib/dpkg/status"
_FIELD = re.compile(r"^(Package|Version|Architecture|Status): (.*)$", re.MULTILINE)
_LOCKED = re.compile(r"^([\w.-]+)==([^\s;]+)((?:.*\\\n)*.*)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")

Component = dict[str, Any]


def write_bill(path: Path, components: Iterable[Component]) -> None:
    """Write a CycloneDX document."""
    found = list(components)
    serial = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(found, sort_keys=True))
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "components": found,
    }
    path.write_text(json.dumps(document, indent=2) + "\n")


def add_packages(bill: Path, archive: Path, suite: str) -> None:
    """Add the Debian packages of a docker archive to its bill, which is begun if there is none."""
    begun = json.loads(bill.read_text())["components"] if bill.exists() else []
    found = [_describe(package, suite) for package in parse_database(read_database(archive))]
    write_bill(bill, [*begun, *found])


def hash_wheels(folder: Path) -> set[str]:
    """Return the SHA-256 of each wheel in a folder."""
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.whl")}


def describe_locked(lock: str, wheels: set[str]) -> Iterator[Component]:
    """Yield what a lock names, with the hash of its wheel if that is among these."""
    for name, version, rest in _LOCKED.findall(lock):
        component: Component = {
            "bom-ref": f"python-{name}",
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{quote(version)}",
        }
        used = sorted(wheels.intersection(_HASH.findall(rest)))
        if used:
            component["hashes"] = [{"alg": "SHA-256", "content": item} for item in used]
        yield component


def read_database(archive: Path) -> str:
    """Return dpkg's database as the image has it; empty if it has none."""
    with tarfile.open(archive) as image:
        (manifest,) = json.load(_open(image, "manifest.json"))
        # The last layer that has a file is the one that counts.
        for name in reversed(manifest["Layers"]):
            with tarfile.open(fileobj=_open(image, name)) as layer:
                for entry in layer:
                    if entry.name.removeprefix("./") == DATABASE:
                        return str(_open(layer, entry.name).read(), "utf-8")
    return ""


def parse_database(text: str) -> Iterator[dict[str, str]]:
    """Yield the fields of each package that is installed."""
    for paragraph in text.split("\n\n"):
        fields = dict(_FIELD.findall(paragraph))
        if fields.get("Status", "").endswith(" installed"):
            yield fields


def _describe(package: dict[str, str], suite: str) -> Component:
    name, version, kind = (package[key] for key in ("Package", "Version", "Architecture"))
    purl = f"pkg:deb/debian/{quote(name)}@{quote(version, safe='')}?arch={kind}&distro={suite}"
    return {
        "bom-ref": f"debian-{name}-{kind}",
        "type": "library",
        "name": name,
        "version": version,
        "purl": purl,
    }


def _open(archive: tarfile.TarFile, name: str) -> Any:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file of the archive")
    return file
