#!/usr/bin/env bash
# Build the web page from api/web with what its lock file names: `build` into the API's package, `check` into
# a folder beside, to compare. The built files are committed, so that nobody needs node to install or run.
set -euo pipefail
cd "$(dirname "$0")/../api/web"
command -v npm >/dev/null || { echo "building the web page needs node 20 with npm" >&2; exit 1; }
npm ci --no-progress --loglevel=error
npm run --silent check
case ${1:-build} in
  build) npm run --silent build ;;
  check)
    new=$(mktemp -d)
    trap 'rm -rf "$new"' EXIT
    npm run --silent build -- "$new"
    diff -r "$new" ../src/zerog_api/static || { echo "the built files are old: make web" >&2; exit 1; }
    ;;
  *) echo "usage: hack/web.sh [build|check]" >&2; exit 2 ;;
esac
