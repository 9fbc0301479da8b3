"""Debian's packages are found in an image as its last layer leaves them."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from zerog_tools.images.bill import (
    DATABASE,
    add_packages,
    describe_locked,
    hash_wheels,
    read_database,
    write_bill,
)

BASE = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
MORE = f"""{BASE}
Package: beanstalkd
Status: install ok installed
Architecture: amd64
Version: 1:1.12-2+b1
Description: a queue
 Package: no field of its own
"""


def build_tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def build_archive(folder: Path, *layers: dict[str, bytes]) -> Path:
    named = {f"{number}/layer.tar": build_tar(files) for number, files in enumerate(layers)}
    manifest = json.dumps([{"Layers": list(named)}]).encode()
    path = folder / "image.tar"
    path.write_bytes(build_tar({"manifest.json": manifest, **named}))
    return path


def test_the_last_layer_that_has_the_database_counts(tmp_path: Path) -> None:
    archive = build_archive(
        tmp_path,
        {f"./{DATABASE}": BASE.encode()},
        {DATABASE: MORE.encode()},
        {"opt/other": b"x"},
    )

    assert read_database(archive) == MORE


def test_a_bill_gets_what_is_installed_beside_what_it_has(tmp_path: Path) -> None:
    archive = build_archive(tmp_path, {DATABASE: MORE.encode()})
    bill = tmp_path / "bill.json"
    bill.write_text(json.dumps({"components": [{"name": "kopf"}], "version": 1}))

    add_packages(bill, archive, "bookworm")

    document = json.loads(bill.read_text())
    assert [item["name"] for item in document["components"]] == ["kopf", "libc6", "beanstalkd"]
    assert document["components"][2]["purl"] == (
        "pkg:deb/debian/beanstalkd@1%3A1.12-2%2Bb1?arch=amd64&distro=bookworm"
    )


def test_an_image_without_debian_has_a_bill_all_the_same(tmp_path: Path) -> None:
    bill = tmp_path / "bill.json"

    add_packages(bill, build_archive(tmp_path, {"program": b"x"}), "bookworm")

    assert json.loads(bill.read_text())["components"] == []


def test_a_locked_package_has_the_hash_of_the_wheel_that_is_installed(tmp_path: Path) -> None:
    (tmp_path / "kopf-1-py3-none-any.whl").write_bytes(b"a wheel")
    used, other = hashlib.sha256(b"a wheel").hexdigest(), "0" * 64
    lock = f"kopf==1 \\\n    --hash=sha256:{other} \\\n    --hash=sha256:{used}\nattrs==26.1\n"

    kopf, attrs = describe_locked(lock, hash_wheels(tmp_path))

    assert kopf["purl"] == "pkg:pypi/kopf@1"
    assert kopf["hashes"] == [{"alg": "SHA-256", "content": used}]
    assert attrs["name"] == "attrs"
    assert "hashes" not in attrs


def test_the_same_components_make_the_same_bill_and_others_another(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path, version in zip(paths, ("1", "1", "2"), strict=True):
        write_bill(path, [{"name": "kopf", "version": version}])
    serials = [json.loads(path.read_text())["serialNumber"] for path in paths]

    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert serials[0] == serials[1] != serials[2]
    assert serials[0].startswith("urn:uuid:")
