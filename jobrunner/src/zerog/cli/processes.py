"""Commands that run until they are stopped: dev, worker. `zerog api` is in `zerog_api.command`."""

import argparse
from pathlib import Path

from zerog import logs
from zerog.cli import codes
from zerog.model.errors import ConfigError
from zerog.settings import WorkerSettings, environment, load


def command_worker(options: argparse.Namespace) -> int:
    """Run jobs until SIGTERM."""
    from zerog.tracing import open_tracing
    from zerog.worker.main import run_worker

    logs.configure(options.log_format)
    settings = load(
        WorkerSettings,
        environment(),
        jobs=tuple(options.jobs) or None,
        queues=tuple(options.queues) if options.queues else None,
        store=options.store,
        queue=options.queue,
        slots=options.slots,
        grace_seconds=options.grace_seconds,
        metrics_port=options.metrics_port,
    )
    if not settings.jobs:
        raise ConfigError("no jobs: name a module, e.g. `zerog worker acme.jobs`")
    return run_worker(settings, open_tracing(environment()))


def command_dev(options: argparse.Namespace) -> int:
    """Start everything on this machine."""
    from zerog.dev import Dev, DevSettings

    load(WorkerSettings, environment())  # a misspelt variable is told before anything starts
    if not options.jobs:
        raise ConfigError("no jobs: name a module, e.g. `zerog dev examples/jobs/text.py`")
    for job in options.jobs:
        if job.endswith(".py") and not Path(job).is_file():
            raise ConfigError(f"there is no file {job!r} in {Path.cwd()}")
    settings = DevSettings(
        jobs=tuple(options.jobs),
        data=options.data,
        port=options.port,
        queue_port=options.queue_port,
        slots=options.slots,
        reload=options.reload,
        grace_seconds=options.grace_seconds,
        hints=not options.no_hints,
        log_format=options.log_format,
    )
    Dev(settings).run()
    return codes.OK
