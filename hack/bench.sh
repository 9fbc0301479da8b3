#!/usr/bin/env bash
# Install the peers from their lock and measure. Leaves the development environment with the peers in it.
set -euo pipefail
cd "$(dirname "$0")/.."
bash hack/bootstrap.sh
if ! command -v redis-server >/dev/null; then
  sudo=()
  if [[ $(id -u) != 0 ]]; then sudo=(sudo); fi
  "${sudo[@]}" apt-get install -y -qq redis-server >/dev/null
fi
VIRTUAL_ENV=$PWD/.venv .tools/bin/uv pip install -q --require-hashes -r requirements-bench.lock
.venv/bin/python -m benchmarks.run "$@"
# Other pages repeat some of the figures.
.venv/bin/python hack/reference.py
