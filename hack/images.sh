#!/usr/bin/env bash
# Install what builds images where nothing does, and build them. A second run sees that all is there.
# Options are of tools/src/zerog_tools/images/lock.py, which compares Debian's packages in them with those of images/debian.lock.
set -euo pipefail
cd "$(dirname "$0")/.."
missing=()
command -v mmdebstrap >/dev/null || [[ -n ${IMAGE_BASE:-} ]] || missing+=(mmdebstrap)
docker info >/dev/null 2>&1 || command -v podman >/dev/null || command -v buildah >/dev/null || missing+=(buildah)
if ((${#missing[@]})); then
  sudo=()
  if [[ $(id -u) != 0 ]]; then sudo=(sudo); fi
  echo "installing ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
.venv/bin/python -m zerog_tools.images.build
.venv/bin/python -m zerog_tools.images.lock "$@"
