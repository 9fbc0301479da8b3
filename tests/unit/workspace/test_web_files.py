"""The built web page: of the present sources, whole, with notices, and nothing from elsewhere."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from hack import specification

from zerog_api.edge import pages


@pytest.fixture
def web(root: Path) -> Path:
    return root / "api" / "web"


@pytest.fixture
def static(root: Path) -> Path:
    return root / "api" / "src" / "zerog_api" / "static"


def test_the_built_files_are_of_the_present_sources(web: Path, static: Path) -> None:
    files = [path for path in (web / "src").rglob("*") if path.is_file()]
    names = ["package-lock.json", "build.mjs"]
    names += sorted(path.relative_to(web).as_posix() for path in files)
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + b"\0" + (web / name).read_bytes() + b"\0")

    built_from = (static / "sources.sha256").read_text().strip()

    assert digest.hexdigest() == built_from, "run make web"


def test_the_types_of_the_page_are_made_of_the_present_specification(web: Path) -> None:
    hash_now = hashlib.sha256(specification.text().encode()).hexdigest()

    made = (web / "src" / "generated.ts").read_text()

    assert f"sha256 of the specification: {hash_now}\n" in made, "run make web"


def test_every_built_file_is_served(static: Path) -> None:
    built = {path.name for path in static.iterdir()} - {"sources.sha256"}

    assert built == set(pages.KINDS)


def test_the_dependencies_and_nothing_else_are_bundled_with_their_notices(
    web: Path, static: Path
) -> None:
    dependencies = json.loads((web / "package.json").read_text())["dependencies"]

    notices = (static / "licenses.txt").read_text()

    assert set(re.findall(r"^(\S+) \d+\.\d+\S* \(.+\)$", notices, re.M)) == dependencies.keys()
    assert "Permission is hereby granted" in notices


def test_the_page_has_nothing_inline(static: Path) -> None:
    for path in static.glob("*.html"):
        text = path.read_text()
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", text), path.name


def test_the_lock_of_the_page_has_hashes_and_no_address(web: Path) -> None:
    lock = json.loads((web / "package-lock.json").read_text())
    packages = {name: item for name, item in lock["packages"].items() if name}

    assert packages
    assert all(item["integrity"].startswith("sha512-") for item in packages.values())
    assert not [name for name, item in packages.items() if "resolved" in item]
