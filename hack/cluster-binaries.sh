#!/usr/bin/env bash
# Build the programs of the test clusters into the cache, and fetch what builds them.
# A second run sees that all is there and does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v openssl >/dev/null; then
  sudo=()
  if [[ $(id -u) != 0 ]]; then sudo=(sudo); fi
  echo "installing openssl"
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq openssl >/dev/null
fi
.venv/bin/python -m zerog_tools.cluster.binaries --check 2>/dev/null && exit 0
bash hack/cluster-go.sh
.venv/bin/python -m zerog_tools.cluster.binaries
