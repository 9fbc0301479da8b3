#!/usr/bin/env bash
# Unpack Debian's Prometheus into the cache, where it is missing: the server and promtool, which check metrics and
# alerts. It is not installed, so that no service starts.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(.venv/bin/python -c 'from zerog_tools.cluster.binaries import cache_folder; print(cache_folder())')/prometheus
mkdir -p "$(dirname "$folder")"
# Tests ask for it from several processes.
exec 9>"$folder.lock"
flock 9
[[ -x $folder/usr/bin/promtool ]] && exit 0
sudo=()
if [[ $(id -u) != 0 ]]; then sudo=(sudo); fi
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
echo "fetching Debian's prometheus"
"${sudo[@]}" apt-get update -qq
(cd "$new" && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb unpacked)
rm -rf "$folder"
mv "$new/unpacked" "$folder"
