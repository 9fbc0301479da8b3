#!/usr/bin/env bash
# Build the web page from api/web with what its lock file names: `build` into the API's package, `check` into
# a folder beside, to compare, after layout, lint, types and unit tests. The types of the API's bodies are made
# of its specification first. The built files are committed, so that nobody needs node to install or run.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v npm >/dev/null || { echo "building the web page needs node 20 with npm" >&2; exit 1; }
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
.venv/bin/python hack/specification.py >"$new/specification.json"
cd api/web
# A second run sees that nothing has changed and installs nothing.
cmp -s package-lock.json node_modules/.installed || {
  npm ci --no-progress --loglevel=error
  cp package-lock.json node_modules/.installed
}
case ${1:-build} in
  build)
    npm run --silent generate -- src/generated.ts <"$new/specification.json"
    npm run --silent check
    npm run --silent build
    ;;
  check)
    npm run --silent generate -- "$new/generated.ts" <"$new/specification.json"
    diff "$new/generated.ts" src/generated.ts || { echo "the types of the API's bodies are old: make web" >&2; exit 1; }
    npm run --silent check
    npm run --silent lint
    npm run --silent test
    npm run --silent build -- "$new/static"
    diff -r "$new/static" ../src/zerog_api/static || { echo "the built files are old: make web" >&2; exit 1; }
    ;;
  *) echo "usage: hack/web.sh [build|check]" >&2; exit 2 ;;
esac
