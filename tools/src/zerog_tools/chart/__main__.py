"""`make generate`: make what is generated of the chart; --check shows what differs."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from zerog_tools.chart.manifests import build_manifests
from zerog_tools.chart.readme import render_readme
from zerog_tools.chart.schema import build_schema, render_schema
from zerog_tools.chart.values import read_defaults, read_values
from zerog_tools.repository import CHART, ROOT

CRD = ROOT / "manifests" / "crds" / "zerogworkerpools.yaml"


def build_chart() -> dict[Path, str]:
    """Return what is generated of the chart itself: paths, and what is to be in them."""
    values = read_values()
    return {
        CHART / "files" / "crds" / CRD.name: CRD.read_text(encoding="utf-8"),
        CHART / "values.schema.json": render_schema(build_schema(read_defaults(), values)),
        CHART / "README.md": render_readme(values),
    }


def find_stale(files: Mapping[Path, str]) -> list[Path]:
    """Return the files that are not what they are to be."""
    return [path for path, text in files.items()
            if not path.exists() or path.read_text(encoding="utf-8") != text]  # fmt: skip


def main() -> int:
    """Write what is generated of the chart."""
    parser = argparse.ArgumentParser(prog="zerog_tools.chart", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if any differs")
    check: bool = parser.parse_args().check
    stale = 0
    # The manifests are rendered with the schema, so that comes first.
    for build in (build_chart, build_manifests):
        files = build()
        for path in find_stale(files):
            stale += 1
            name = path.relative_to(ROOT)
            if check:
                print(f"{name} is out of date: run `make generate`", file=sys.stderr)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
            print(f"wrote {name}")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
