"""Commands about one job: submit, run, watch, data. Those about many are in `zerog.cli.listing`
and `zerog.cli.changes`."""

import argparse
import base64
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from zerog.cli import codes
from zerog.cli.endings import tell_ending
from zerog.cli.follow import follow
from zerog.cli.output import print_data, print_json, write_data
from zerog.cli.parser import text
from zerog.cli.target import connect, connect_async
from zerog.cli.words import say, show
from zerog.client import Client
from zerog.client.calls import take
from zerog.model.errors import ConfigError

#: States of jobs that have no data whatever they did.
NEVER_WITH_DATA = frozenset({"cancelled", "expired"})


def command_submit(options: argparse.Namespace) -> int:
    """Submit a job and print its UUID."""
    with connect(options, on_warning=lambda text: say(f"zerog: warning: {text}")) as client:
        uuid = _submit(client, options)
    if options.json:
        print_json({"uuid": uuid})
    else:
        show(uuid)
    return codes.OK


def command_run(options: argparse.Namespace) -> int:
    """Submit a job, follow it, print its result; the exit code follows the job."""
    # Following the job tells later what a warning would tell now, if it still holds.
    with connect(options, on_warning=lambda text: None) as client:
        uuid = _submit(client, options)
        if not options.json:
            say(f"job {uuid}")
        following = connect_async(options)
        progress = follow(following, uuid, limit_seconds=options.limit, quiet=options.json)
        data = None if progress["state"] in NEVER_WITH_DATA else client.data(uuid)
    if options.output and (data is not None or progress["state"] == "succeeded"):
        write_data(options.output, data, uuid, quiet=options.json)
    elif data is not None and not options.json:
        print_data(data, uuid)
    if options.json:
        print_json({**progress, "data": data})
    return codes.of_progress(progress["state"])


def command_watch(options: argparse.Namespace) -> int:
    """Follow a job to its end."""
    client = connect_async(options)
    progress = follow(client, options.uuid, limit_seconds=options.limit, quiet=options.json)
    if options.json:
        print_json(progress)
    return codes.of_progress(progress["state"])


def command_data(options: argparse.Namespace) -> int:
    """Print the output of a finished job, as JSON; the exit code follows the job.

    A job that did not succeed may have data all the same. That it has none is `null` only where
    JSON was asked for.
    """
    with connect(options) as client:
        progress = client.progress(options.uuid)
        code = codes.of_progress(take(progress, "state"))
        data = None if code == codes.NOT_FINISHED else client.data(options.uuid)
    if data is not None or code == codes.OK:
        _give_data(data, options)
    elif options.json and code != codes.NOT_FINISHED:
        print_json(None)
    tell_ending(options.uuid, progress)
    return code


def _give_data(data: Any, options: argparse.Namespace) -> None:
    if options.output:
        write_data(options.output, data, options.uuid, quiet=options.json)
    elif options.json:
        print_json(data)
    else:
        print_data(data, options.uuid)


def _submit(client: Client, options: argparse.Namespace) -> str:
    return client.submit(
        options.type,
        read_parameters(options.parameters, options.params),
        priority=options.priority,
        delay=options.delay,
        timeout=options.timeout,
        expires_at=_expiry(options.expires),
        labels=dict(options.label or ()),
        idempotency_key=options.key,
    )


def _expiry(seconds: float | None) -> datetime | None:
    if seconds is None:
        return None
    try:
        return datetime.now(UTC) + timedelta(seconds=seconds)
    except OverflowError:
        raise ConfigError(f"--expires {seconds:g} is too long") from None


def read_parameters(pairs: list[str], path: str | None) -> dict[str, Any]:
    """Read parameters from a JSON file and from `key=value` arguments. `ConfigError` if wrong."""
    parameters: dict[str, Any] = {}
    if path is not None:
        data = sys.stdin.buffer.read() if path == "-" else _read(path)
        try:
            parameters = _from_json(data)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path} is not JSON: {error}") from error
        if not isinstance(parameters, dict):
            raise ConfigError(f'{path} is not a JSON object, e.g. {{"name": "Ada"}}')
    for pair in pairs:
        key, found, value = pair.partition("=")
        if not found or not key:
            raise ConfigError(f"{pair!r} is not a parameter: write key=value, e.g. name=Ada")
        parameters[_text(key)] = _value(value)
    return parameters


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigError(f"the file {path!r} cannot be read: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _value(text: str) -> Any:
    if text.startswith("@base64:"):
        return base64.b64encode(_read(text.removeprefix("@base64:"))).decode()
    if text.startswith("@"):
        try:
            return _read(text[1:]).decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigError(f"{text[1:]!r} is not text: write key=@base64:{text[1:]}") from None
    text = _text(text)
    try:
        return _from_json(text)
    except (ValueError, RecursionError):
        return text


def _from_json(text: str | bytes) -> Any:
    """Read JSON. `ValueError` also for what Python takes besides: NaN, numbers that overflow."""
    value = json.loads(text)
    json.dumps(value, allow_nan=False)
    return value


def _text(value: str) -> str:
    """Return an argument if it is text. `ConfigError` if its bytes are in another encoding."""
    try:
        return text(value)
    except argparse.ArgumentTypeError as error:
        raise ConfigError(str(error)) from None
