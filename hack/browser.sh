#!/usr/bin/env bash
# Install the browser of the web page's tests, where it is missing.
set -euo pipefail
command -v chromium >/dev/null && exit 0
sudo=()
if [[ $(id -u) != 0 ]]; then sudo=(sudo); fi
echo "installing chromium"
"${sudo[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get -o DPkg::Lock::Timeout=300 install -y -qq \
  --no-install-recommends chromium fonts-dejavu-core >/dev/null
