#!/usr/bin/env bash
# Install and build what the nodes of the end-to-end tests are made of.
# A second run sees that all is there and does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

bash hack/cluster-binaries.sh
missing=$(.venv/bin/python -m zerog_tools.cluster.real.node)
if [[ -n $missing ]]; then
  sudo=()
  if [[ $(id -u) != 0 ]]; then sudo=(sudo); fi
  echo "installing $missing"
  "${sudo[@]}" apt-get update -qq
  # Debian's containerd would start one of its own where there is an init; ours needs its own socket only.
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
.venv/bin/python -m zerog_tools.cluster.binaries kubelet kube-proxy coredns >/dev/null
