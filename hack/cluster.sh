#!/usr/bin/env bash
# Start a cluster with ZeroG in it, run a job through it, say what to try next, and stay up until ^C.
# Without a terminal (or with RUN_ONCE=1) it stops after the job.
set -euo pipefail
cd "$(dirname "$0")/.."
# The chart's defaults and the samples name the images without it.
unset IMAGE_PREFIX
bash hack/kind.sh
bash hack/images.sh >/dev/null
exec .venv/bin/python -m zerog_tools.trial.command
