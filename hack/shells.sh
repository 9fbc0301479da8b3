#!/usr/bin/env bash
# Install the shells that the tests ask for completions, where they are missing. bash runs this.
set -euo pipefail
missing=()
for shell in fish zsh; do command -v "$shell" >/dev/null || missing+=("$shell"); done
((${#missing[@]})) || exit 0
sudo=()
if [[ $(id -u) != 0 ]]; then sudo=(sudo); fi
echo "installing ${missing[*]}"
"${sudo[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get -o DPkg::Lock::Timeout=300 install -y -qq \
  --no-install-recommends "${missing[@]}" >/dev/null
