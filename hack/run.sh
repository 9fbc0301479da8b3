#!/usr/bin/env bash
# Start ZeroG with the example jobs, run one through it, say what to try next, and stay up until ^C.
# Without a terminal (or with RUN_ONCE=1) it stops after the job, with the job's exit code.
set -euo pipefail
cd "$(dirname "$0")/.."
zerog=.venv/bin/zerog
data=${DATA:-.zerog}
once=${RUN_ONCE:-}
[[ -t 1 ]] || once=1

$zerog dev examples/jobs/*.py --data "$data" ${PORT:+--port "$PORT"} &
dev=$!
stop() { kill -TERM "$dev" 2>/dev/null || true; wait "$dev" || true; }
trap stop EXIT
trap 'exit 130' INT TERM

# A file that an earlier run left behind names another process.
ready() { grep -qs "\"pid\": $dev[,}]" "$data/dev.json"; }
for _ in $(seq 600); do
  ready && break
  kill -0 "$dev" 2>/dev/null || { echo "zerog dev has ended; its log is above" >&2; exit 1; }
  sleep 0.1
done
ready || { echo "zerog dev is not ready after a minute" >&2; exit 1; }
url=$(.venv/bin/python -c 'import json, sys; print(json.load(open(sys.argv[1]))["url"])' "$data/dev.json")
export ZEROG_URL=$url

echo
echo "A job: draw the Mandelbrot set in a process of its own, and follow it."
code=0
$zerog run Mandelbrot width=240 height=160 -o "$data/mandelbrot.json" || code=$?
echo "Another one: statistics of this project's licence."
$zerog run WordStatistics text=@LICENSE top=3 || code=$?
cat <<EOF

Three things to try next, in another terminal:
  $zerog run Thumbnails picture=@base64:docs/images/web-job.png --url $url
  curl --json '{"text": "Hello, world."}' $url/v1/jobs/WordStatistics
  open $url/ and $url/docs in a browser
EOF
[[ -n $once ]] && exit "$code"
echo "ZeroG stays up. ^C stops it."
wait "$dev"
