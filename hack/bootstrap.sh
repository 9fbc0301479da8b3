#!/usr/bin/env bash
# Install what is missing, once: system packages by apt, uv from PyPI, Python packages from the lock.
# A second run sees that nothing has changed and does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

lock=${TEST_LOCK:-requirements.lock}
stamp=.venv/.installed
want=$(cat "$lock" hack/tools.lock jobrunner/pyproject.toml api/pyproject.toml operator/pyproject.toml simulate/pyproject.toml tools/pyproject.toml | sha256sum)

missing=()
command -v beanstalkd >/dev/null || missing+=(beanstalkd)
# What the guides show by hand, and their tests run.
command -v curl >/dev/null || missing+=(curl)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
if ((${#missing[@]})); then
  sudo=()
  if [[ $(id -u) != 0 ]]; then sudo=(sudo); fi
  echo "installing ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq "${missing[@]}" >/dev/null
fi

[[ -f $stamp && $(cat "$stamp") == "$want" ]] && exit 0

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "Python 3.11 or newer is needed, this is $(python3 --version)" >&2
  exit 1
}
# What installs everything else is checked by its hash, too.
cmp -s hack/tools.lock .tools/.installed || {
  python3 -m venv .tools
  .tools/bin/pip install -q --disable-pip-version-check --force-reinstall --require-hashes --only-binary :all: \
    -r hack/tools.lock
  cp hack/tools.lock .tools/.installed
}
[[ -x .venv/bin/python ]] || .tools/bin/uv venv -q --python "$(command -v python3)" .venv
echo "installing Python packages from $lock"
export VIRTUAL_ENV=$PWD/.venv
.tools/bin/uv pip sync -q --require-hashes "$lock"
.tools/bin/uv pip install -q --no-deps --no-build-isolation -e jobrunner -e api -e operator -e simulate -e tools
echo "$want" >"$stamp"
