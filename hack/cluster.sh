#!/usr/bin/env bash
# Start a cluster with ZeroG in it, run a job through it, say what to try next, and stay up until ^C.
# Without a terminal (or with RUN_ONCE=1) it stops after the job.
set -euo pipefail
cd "$(dirname "$0")/.."
# The chart's defaults and the samples name the images without it.
unset IMAGE_PREFIX
way=$(.venv/bin/python -m zerog_tools.trial.command --way)
bash hack/cluster-go.sh >/dev/null
if [[ $way == nodes ]]; then bash hack/node-packages.sh; fi
bash hack/images.sh >/dev/null
exec .venv/bin/python -m zerog_tools.trial.command
