#!/usr/bin/env bash
# Build the wheels, source archives and the chart into dist/ (or DIST): the same bytes from the same sources.
# With TAG, refuse a tag that is not their version.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(.venv/bin/python -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["version"])')
[[ -z ${TAG:-} || $TAG == "v$version" ]] || { echo "the tag is $TAG and the version is $version" >&2; exit 1; }
dist=${DIST:-dist}
rm -rf "$dist"
for folder in jobrunner api operator simulate; do
  .tools/bin/uv build -q --no-build-isolation --python .venv/bin/python --out-dir "$dist/wheels" "$folder"
done
rm -f "$dist/wheels/.gitignore"
helm=$(.venv/bin/python -m zerog_tools.cluster.binaries helm 2>/dev/null | awk '{print $2}')
"$helm" package charts/zerog --destination "$dist/chart" --version "$version" --app-version "$version"
.venv/bin/python -m zerog_tools.release.repack "$dist"/chart/*.tgz
ls "$dist"/*
