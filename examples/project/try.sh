#!/usr/bin/env bash
# Start everything, run one job through it, stop: what CI does after the tests. Needs beanstalkd.
set -euo pipefail
data=$(mktemp -d)
zerog dev acme_media.jobs --data "$data" --port "${PORT:-8080}" --no-hints &
dev=$!
trap 'kill -INT $dev; wait $dev || true; rm -rf "$data"' EXIT
for _ in $(seq 600); do
  [[ -f $data/dev.json ]] && break
  kill -0 $dev
  sleep 0.1
done
zerog run RenderPage text='# Cats' --url "http://127.0.0.1:${PORT:-8080}"
