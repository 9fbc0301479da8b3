"""`python -m hack.chart`: make what is generated of the chart; --check tells what differs."""

import argparse
import sys
from pathlib import Path

from hack.chart.readme import render_readme
from hack.chart.schema import build_schema, render_schema
from hack.chart.values import CHART, read_defaults, read_values

ROOT = CHART.parents[1]
CRD = ROOT / "manifests" / "crds" / "zerogworkerpools.yaml"


def build_files() -> dict[Path, str]:
    """Return everything that is generated: its path and what is to be in it."""
    values = read_values()
    return {
        CHART / "files" / "crds" / CRD.name: CRD.read_text(encoding="utf-8"),
        CHART / "values.schema.json": render_schema(build_schema(read_defaults(), values)),
        CHART / "README.md": render_readme(values),
    }


def main() -> int:
    """Write what differs, or only tell."""
    parser = argparse.ArgumentParser(prog="hack.chart", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if any differs")
    check: bool = parser.parse_args().check
    stale = 0
    for path, text in build_files().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        name = path.relative_to(ROOT)
        if check:
            print(f"{name} is out of date: run `make generate`", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
