"""Two builds are the same byte by byte, or each file that differs is named."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from zerog_tools.images.build import EPOCH
from zerog_tools.release.repack import repack
from zerog_tools.release.reproduce import compare_builds, compare_images, read_identity

FILES = {"a": b"1", "b": b"2"}


def build_tar(files: dict[str, bytes], *, mtime: int = EPOCH, mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), mtime, mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def build_image(path: Path, layer: bytes, *, created: str = "2026") -> Path:
    # As builders do it, the configuration has the hash of the layer.
    config = json.dumps({"created": created, "layer": layer.hex()}).encode()
    manifest = json.dumps([{"Config": "config.json", "Layers": ["layer.tar"]}]).encode()
    files = {"config.json": config, "layer.tar": layer, "manifest.json": manifest}
    path.write_bytes(build_tar(files))
    return path


def test_images_of_the_same_files_have_one_identity(tmp_path: Path) -> None:
    first, second = (build_image(tmp_path / name, build_tar(FILES)) for name in "xy")

    assert read_identity(first) == read_identity(second)
    assert compare_images(first, second) == []


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (build_tar({**FILES, "b": b"3"}), "layer 0: b: "),
        (build_tar({"a": b"1"}), "layer 0: b: "),
        (build_tar(FILES, mtime=EPOCH + 1), f" {EPOCH + 1} "),
        (build_tar(FILES, mode=0o600), "600"),
        (build_tar({"b": b"2", "a": b"1"}), "layer 0: the order of the files"),
    ],
    ids=["content", "missing", "time", "mode", "order"],
)
def test_what_differs_between_images_is_named(tmp_path: Path, layer: bytes, named: str) -> None:
    first = build_image(tmp_path / "x", build_tar(FILES))
    second = build_image(tmp_path / "y", layer)

    found = compare_images(first, second)

    assert found[0] == "the configuration differs"
    assert named in found[1]


def test_another_configuration_differs(tmp_path: Path) -> None:
    first = build_image(tmp_path / "x", build_tar(FILES))
    second = build_image(tmp_path / "y", build_tar(FILES), created="2027")

    assert compare_images(first, second) == ["the configuration differs"]


def test_builds_differ_by_a_byte_and_by_a_missing_file(tmp_path: Path) -> None:
    for name, content in {"x/a.whl": b"1", "y/a.whl": b"2", "x/b.whl": b"", "y/b.whl": b""}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "x" / "c.whl").touch()

    found = compare_builds(tmp_path / "x", tmp_path / "y")

    assert found == ["c.whl is in one build only", "a.whl: other bytes"]


def pack(mtime: int, mode: int) -> bytes:
    return gzip.compress(build_tar(FILES, mtime=mtime, mode=mode), mtime=mtime)


def test_a_chart_that_is_packed_again_does_not_tell_when_or_by_whom() -> None:
    first, second = repack(pack(1, 0o600)), repack(pack(2, 0o644))

    assert first == second
    with tarfile.open(fileobj=io.BytesIO(first)) as chart:
        read = {entry.name: chart.extractfile(entry) for entry in chart}
        assert {name: file.read() for name, file in read.items() if file} == FILES
