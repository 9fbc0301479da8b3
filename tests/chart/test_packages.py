"""What a release publishes besides images is the same bytes, whoever builds it."""

from pathlib import Path

from zerog_tools.release.reproduce import SURROUNDINGS, build, compare_builds


def test_wheels_archives_and_chart_of_two_builds_are_the_same_bytes(tmp_path: Path) -> None:
    made = [
        build(tmp_path / str(number), mask, environment, images=False)
        for number, (mask, environment) in enumerate(SURROUNDINGS)
    ]

    assert compare_builds(*made) == []
    assert {path.suffix for path in made[0].rglob("*.*")} == {".whl", ".gz", ".tgz"}
