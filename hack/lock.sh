#!/usr/bin/env bash
# Resolve all dependencies into the lock files. They hold versions and hashes and no address of a registry; uv.lock, which
# holds addresses, is a by-product and not committed.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.tools/bin/uv
export_lock() {
  $uv export -q --all-packages --no-emit-workspace --no-header --no-annotate --no-emit-index-url \
    --format requirements.txt "$@"
}
$uv lock -q "$@"
# What an image holds beside our own packages.
export_image() {
  $uv export -q --package "$1" --extra couchbase --no-dev --no-emit-workspace --no-header --no-annotate \
    --no-emit-index-url --format requirements.txt
}
export_lock --group dev >requirements.lock
export_lock --group dev --group bench >requirements-bench.lock
export_image zerog >jobrunner/requirements.lock
export_image zerog-api >api/requirements.lock
export_image zerog-operator >operator/requirements.lock
compile() {
  $uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
    "$@"
}
# The generator of Python clients, for tests. Its dependencies are not ours.
clients=tests/integration/clients/python
compile "$@" "$clients/requirements.in" -o "$clients/requirements.lock"
# uv itself. `make setup` installs it by pip, which checks the hashes.
compile "$@" hack/tools.in -o hack/tools.lock
