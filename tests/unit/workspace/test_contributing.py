"""What CONTRIBUTING and the map name is there."""

import re
from pathlib import Path

GUIDE, MAP = "CONTRIBUTING.md", "docs/images/map.svg"
#: A path of the repository, in backticks.
NAMED = re.compile(r"`([\w.-]+(?:/[\w.{}-]+)+|[\w-]+\.md)`")
ON_MAP = re.compile(r'class="path"[^>]*>([^<]+)<')


def test_every_path_in_the_guide_exists(root: Path) -> None:
    named = NAMED.findall((root / GUIDE).read_text())

    assert len(named) > 40
    assert [path for path in named if not (root / path).exists()] == []


def test_every_path_on_the_map_exists(root: Path) -> None:
    named = ON_MAP.findall((root / MAP).read_text())

    assert len(named) > 20
    assert [path for path in named if not (root / path).exists()] == []


def test_every_package_is_on_the_map(root: Path) -> None:
    named = set(ON_MAP.findall((root / MAP).read_text()))
    sources = [root / "jobrunner/src/zerog", root / "api/src/zerog_api"]
    packages = {
        str(path.parent.relative_to(root))
        for source in sources
        for path in source.glob("*/__init__.py")
    }

    assert packages <= named


def test_every_target_that_the_guide_names_exists(root: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (root / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"`make ([a-z-]+)", (root / GUIDE).read_text())) <= targets
