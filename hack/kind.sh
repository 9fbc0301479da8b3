#!/usr/bin/env bash
# Install and build what kind needs here: an engine, kind, kubectl and, where kind's own image of
# nodes cannot run, one of our own. A second run sees that all is there and does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

# Says why if there can be no kind here.
missing=$(.venv/bin/python -m zerog_tools.kind.cluster --packages)
if [[ -n $missing ]]; then
  echo "installing $missing"
  apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
bash hack/cluster-go.sh >/dev/null
.venv/bin/python -m zerog_tools.kind.cluster
