#!/usr/bin/env bash
# Build gocaves, Couchbase's own mock, into the cache of the tests' programs, and fetch what builds it.
# A second run sees that it is there and does nothing. Its tests say what becomes of them without it.
set -euo pipefail
cd "$(dirname "$0")/.."

.venv/bin/python -m tests.couchbase.gocaves --check 2>/dev/null && exit 0
if ! { bash hack/cluster-go.sh && .venv/bin/python -m tests.couchbase.gocaves; }; then
  echo "gocaves is not there: the tests with it are skipped, in CI they fail" >&2
fi
