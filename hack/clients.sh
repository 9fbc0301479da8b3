#!/usr/bin/env bash
# Install what the tests of generated clients need: node, the generators for TypeScript and Python with what their clients
# import, Go and the modules of its generator. All of it is pinned by the lock files of tests/integration/clients.
# A second run sees that nothing has changed and does next to nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
sources=$PWD/tests/integration/clients
tools=$PWD/.tools/clients

# Whether a lock was already installed; the tests ask the same.
has() { [[ -f $1/.installed && $(cat "$1/.installed") == "$(digest "$2")" ]]; }
digest() { sha256sum <"$1" | cut -d ' ' -f 1; }

if ! command -v npm >/dev/null; then
  sudo=()
  if [[ $(id -u) != 0 ]]; then sudo=(sudo); fi
  install() {
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get -o DPkg::Lock::Timeout=300 install -y -qq \
      --no-install-recommends "$1" >/dev/null
  }
  echo "installing node"
  "${sudo[@]}" apt-get update -qq
  install nodejs
  # Some packages of node bring npm, and conflict with the one of its own.
  command -v npm >/dev/null || install npm
fi

lock=$sources/typescript/package-lock.json
if ! has "$tools/typescript" "$lock"; then
  echo "installing the generator of TypeScript clients"
  rm -rf "$tools/typescript"
  mkdir -p "$tools/typescript"
  cp "$sources/typescript/"{package.json,package-lock.json,.npmrc} "$tools/typescript/"
  npm ci --prefix "$tools/typescript" --no-progress --loglevel=error >/dev/null
  digest "$lock" >"$tools/typescript/.installed"
fi

lock=$sources/python/requirements.lock
if ! has "$tools/python" "$lock"; then
  echo "installing the generator of Python clients"
  rm -rf "$tools/python"
  .tools/bin/uv venv -q --python "$(command -v python3)" "$tools/python"
  VIRTUAL_ENV=$tools/python .tools/bin/uv pip sync -q --require-hashes "$lock"
  digest "$lock" >"$tools/python/.installed"
fi

go=$(bash hack/cluster-go.sh | tail -n 1)
cd "$sources/go"
export GOTOOLCHAIN=local
"$go" mod download
# It builds the generator (a minute, once).
"$go" tool oapi-codegen -version >/dev/null
