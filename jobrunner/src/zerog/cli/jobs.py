"""Commands about jobs: submit, run, watch, list, info, data, cancel, retry, delete."""

import argparse
import base64
import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

from zerog.cli import codes
from zerog.cli.follow import follow
from zerog.cli.output import connect, print_json, print_table
from zerog.client import Client
from zerog.errors import ConfigError


def command_submit(options: argparse.Namespace) -> int:
    """Submit a job and print its UUID."""
    with connect(options) as client:
        uuid = _submit(client, options)
    if options.json:
        print_json({"uuid": uuid})
    else:
        print(uuid)
    return codes.OK


def command_run(options: argparse.Namespace) -> int:
    """Submit a job, follow it, print its result; the exit code follows the job."""
    with connect(options) as client:
        uuid = _submit(client, options)
        if not options.json:
            print(f"job {uuid}", file=sys.stderr)
        progress = follow(client, uuid, limit_seconds=options.limit, quiet=options.json)
        data = client.data(uuid) if progress["state"] == "succeeded" else None
    if options.json:
        print_json({**progress, "data": data})
    elif options.output and data is not None:
        Path(options.output).write_text(json.dumps(data), encoding="utf-8")
    elif data is not None:
        print_json(data)
    return codes.of_progress(progress["state"])


def command_watch(options: argparse.Namespace) -> int:
    """Follow a job to its end."""
    with connect(options) as client:
        progress = follow(client, options.uuid, limit_seconds=options.limit, quiet=options.json)
    if options.json:
        print_json(progress)
    return codes.of_progress(progress["state"])


def command_list(options: argparse.Namespace) -> int:
    """List jobs."""
    with connect(options) as client:
        found = client.list(
            types=options.type,
            states=options.state,
            queues=options.queue,
            page_size=max(1, min(options.limit, 100)),
        )
        jobs = list(islice(found, options.limit))
    if options.json:
        print_json(jobs)
        return codes.OK
    rows = [
        (
            job["uuid"],
            job["type"],
            job["state"],
            job["resultCode"],
            job["attempt"],
            job["createdTime"][:19].replace("T", " "),
            job.get("message"),
        )
        for job in jobs
    ]
    columns = ("JOB", "TYPE", "STATE", "CODE", "ATTEMPT", "CREATED (UTC)", "MESSAGE")
    print_table(columns, rows, "There are no such jobs. `zerog run TYPE` makes one.")
    return codes.OK


def command_info(options: argparse.Namespace) -> int:
    """Show a job: progress, log and attempts."""
    with connect(options) as client:
        info = client.info(options.uuid)
    if options.json:
        print_json(info)
        return codes.OK
    for name in ("uuid", "type", "queue", "state", "resultCode", "message", "completeness",
                 "createdTime", "startedTime", "finishedTime", "notBeforeTime"):  # fmt: skip
        if name in info:
            print(f"{name + ':':<15}{info[name]}")
    rows = [
        (
            attempt["number"],
            attempt["worker"]["name"],
            attempt["startedTime"][:23],
            attempt.get("endedTime", "")[:23],
            attempt.get("cause", "running"),
            attempt.get("message"),
        )
        for attempt in info["attempts"]
    ]
    print()
    columns = ("ATTEMPT", "WORKER", "STARTED", "ENDED", "CAUSE", "MESSAGE")
    print_table(columns, rows, "It was not started yet.")
    lines = [*info["events"], *info["warnings"], *info["errors"]]
    for line in sorted(lines, key=lambda item: (item["attempt"], item["seq"])):
        print(f"{line['time'][11:23]} {line['level']:<7} {line['message']}")
    return codes.OK


def command_data(options: argparse.Namespace) -> int:
    """Print the output data of a finished job, as JSON."""
    with connect(options) as client:
        print_json(client.data(options.uuid))
    return codes.OK


def command_cancel(options: argparse.Namespace) -> int:
    """Cancel jobs by UUID or by filter."""
    return _change(options, "cancel")


def command_retry(options: argparse.Namespace) -> int:
    """Replay finished jobs by UUID or by filter."""
    return _change(options, "retry")


def command_delete(options: argparse.Namespace) -> int:
    """Forget a finished job."""
    with connect(options) as client:
        client.delete(options.uuid)
    return codes.OK


def _change(options: argparse.Namespace, what: str) -> int:
    chosen = {"type": options.type, "state": options.state, "queue": options.queue}
    job_filter = {name: values for name, values in chosen.items() if values}
    if bool(options.uuid) == bool(job_filter):
        raise ConfigError(f"name jobs by UUID, or by --type, --state, --queue: what to {what}?")
    results: Any = []
    with connect(options) as client:
        if job_filter:
            results = client.change_many(what, job_filter)
        else:
            change = client.cancel if what == "cancel" else client.retry
            results = [change(uuid) for uuid in options.uuid]
    if options.json:
        print_json(results)
    elif job_filter:
        print(f"{results['changed']} jobs" + (", and there are more" * results["more"]))
    else:
        for progress in results:
            print(f"{progress['uuid']} {progress['state']}")
    return codes.OK


def _submit(client: Client, options: argparse.Namespace) -> str:
    return client.submit(
        options.type,
        read_parameters(options.parameters, options.params),
        priority=options.priority,
        delay=options.delay,
        timeout=options.timeout,
        idempotency_key=options.key,
    )


def read_parameters(pairs: list[str], path: str | None) -> dict[str, Any]:
    """Read parameters from a JSON file and from `key=value` arguments. `ConfigError` if wrong."""
    parameters: dict[str, Any] = {}
    try:
        if path is not None:
            text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
            parameters = json.loads(text)
        if not isinstance(parameters, dict):
            raise ConfigError(f"{path} holds no JSON object")
        for pair in pairs:
            key, found, value = pair.partition("=")
            if not found or not key:
                raise ConfigError(f"{pair!r} is no parameter: write key=value")
            parameters[key] = _value(value)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"the parameters cannot be read: {error}") from error
    return parameters


def _value(text: str) -> Any:
    if text.startswith("@base64:"):
        return base64.b64encode(Path(text.removeprefix("@base64:")).read_bytes()).decode()
    if text.startswith("@"):
        return Path(text[1:]).read_text(encoding="utf-8")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
