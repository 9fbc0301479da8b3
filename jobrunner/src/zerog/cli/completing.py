"""What a shell completes that only the API knows: types, parameters, UUIDs, queues, workers.

The shell waits meanwhile, and shows nothing that is printed. So nothing is tried twice, the process
ends itself when the API takes long, and whatever goes wrong completes nothing.
"""

import argparse
import json
import signal
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zerog.client import Client

#: How long somebody waits who has pressed Tab.
PATIENCE_SECONDS = 2.0
#: UUIDs that are offered, those of the newest jobs.
MAX_UUIDS = 20

Completer = Callable[..., list[str]]


def _asking(find: Callable[["Client", str, argparse.Namespace], Iterable[str]]) -> Completer:
    """Return what argcomplete calls."""

    def complete(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
        from zerog.cli.target import find_quietly
        from zerog.client import Client

        signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)  # its signal ends the process
        try:
            target = find_quietly(parsed_args)
            with Client(
                target.url, token=target.token, token_file=target.token_file, retry_seconds=0
            ) as client:
                found = find(client, prefix, parsed_args)
                return [text for text in found if text.startswith(prefix) and text.isprintable()]
        except Exception:  # a shell has no place for errors
            return []
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    return complete


def _types(client: "Client", prefix: str, options: argparse.Namespace) -> Iterable[str]:
    return [each["name"] for each in client.types()]


def _queues(client: "Client", prefix: str, options: argparse.Namespace) -> Iterable[str]:
    return [each["name"] for each in client.queues()]


def _workers(client: "Client", prefix: str, options: argparse.Namespace) -> Iterable[str]:
    return [each["name"] for each in client.workers()]


def _uuids(client: "Client", prefix: str, options: argparse.Namespace) -> Iterable[str]:
    from itertools import islice

    found = client.list(uuid_prefix=prefix, page_size=MAX_UUIDS)
    return [each["uuid"] for each in islice(found, MAX_UUIDS)]


def _parameters(client: "Client", prefix: str, options: argparse.Namespace) -> Iterable[str]:
    properties = client.type(options.type)["schema"].get("properties", {})
    name, has_name, _ = prefix.partition("=")
    if has_name:
        return [f"{name}={value}" for value in values_of(properties.get(name, {}))]
    given = {pair.partition("=")[0] for pair in options.parameters or ()}
    return [f"{each}=" for each in properties if each not in given]


def values_of(schema: dict[str, Any]) -> list[str]:
    """Return the values that a parameter may have, as they are typed; none: there are too many."""
    values = schema.get("enum", [True, False] if schema.get("type") == "boolean" else [])
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


types, queues, workers = _asking(_types), _asking(_queues), _asking(_workers)
uuids, parameters = _asking(_uuids), _asking(_parameters)
