"""The bill of materials of a built image: its locked Python packages and its Debian packages.

Debian's are read from dpkg's database in the image itself, so they are those that are in it,
whatever its base is. An image without that database keeps what its lock says.
"""

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

DATABASE = "var/lib/dpkg/status"
EMPTY = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": []}
_FIELD = re.compile(r"^(Package|Version|Architecture|Status): (.*)$", re.MULTILINE)


def add_packages(bill: Path, archive: Path, suite: str) -> None:
    """Add the Debian packages of a docker archive to its bill, which is begun if there is none."""
    document: dict[str, Any] = json.loads(bill.read_text()) if bill.exists() else dict(EMPTY)
    found = [_describe(package, suite) for package in parse_database(read_database(archive))]
    document["components"] = [*document["components"], *found]
    bill.write_text(json.dumps(document, indent=2) + "\n")


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


def _describe(package: dict[str, str], suite: str) -> dict[str, str]:
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
