#!/usr/bin/env bash
# Start ZeroG with the example jobs, run two through it, say what to try next, and stay up until ^C.
# With RUN_ONCE=1, or where its output is no terminal, it stops after the jobs, with their exit code.
# RUN_ONCE=0 keeps it up anywhere.
set -euo pipefail
cd "$(dirname "$0")/.."
zerog=.venv/bin/zerog
data=${DATA:-.zerog}
[[ -t 1 ]] && once=0 || once=1
once=${RUN_ONCE:-$once}

$zerog dev examples/jobs/*.py --data "$data" --no-hints ${PORT:+--port "$PORT"} &
dev=$!
# Once it stays up, ^C is how it ends: that is no failure, unless something does not stop cleanly.
stays=
stop() {
  local code=$?
  trap '' INT TERM
  kill -TERM "$dev" 2>/dev/null || true
  wait "$dev" && [[ -n $stays ]] && code=0
  exit "$code"
}
trap stop EXIT
trap 'exit 130' INT TERM

# A file that an earlier run left behind names another process.
ready() { grep -qs "\"pid\": $dev[,}]" "$data/dev.json"; }
for _ in $(seq 2000); do
  ready && break
  kill -0 "$dev" 2>/dev/null || { echo "zerog dev has ended; what is above says why" >&2; exit 1; }
  sleep 0.1
done
ready || { echo "zerog dev is not ready after minutes; its log is above" >&2; exit 1; }
url=$(.venv/bin/python -c 'import json, sys; print(json.load(open(sys.argv[1]))["url"])' "$data/dev.json")
export ZEROG_URL=$url
# Commands find the API by the folder .zerog of where they are.
there=
[[ $data == .zerog ]] || there=" --url $url"

echo
echo "A job: draw the Mandelbrot set in a process of its own, and follow it."
code=0
$zerog run Mandelbrot width=240 height=160 -o "$data/mandelbrot.json" || code=$?
echo
echo "Another one: statistics of this project's licence."
$zerog run WordStatistics text=@LICENSE top=3 || code=$?
cat <<END

Try next, in another terminal, in this folder:
  $zerog run Thumbnails picture=@base64:docs/images/web-job.png -o thumbnails.json$there
  $zerog list$there
  curl --json '{"text": "Hello, world."}' $url/v1/jobs/WordStatistics
  open $url/ and $url/docs in a browser
END
if [[ $once != 0 ]]; then
  echo
  echo "ZeroG stops now. It stays up in a terminal, or with RUN_ONCE=0 make run."
  exit "$code"
fi
stays=1
echo "ZeroG stays up. ^C stops it, and keeps its data in $data."
wait "$dev"
