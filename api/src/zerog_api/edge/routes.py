"""From the handlers' paths to Tornado's rules."""

import re
from collections.abc import Iterable
from typing import Any

from tornado.routing import URLSpec

from zerog_api.edge.handler import Handler
from zerog_api.edge.operations import SEGMENT, Call


def pattern_of(path: str) -> str:
    """Return the regular expression of a path with named segments."""
    return "([^/]+)".join(re.escape(part) for part in SEGMENT.split(path)[::2])


def rules(handlers: Iterable[type[Handler]], prefix: str, **arguments: Any) -> list[URLSpec]:
    """Return the rules of handlers, for an application in which their paths begin with `prefix`."""
    return [
        URLSpec(re.escape(prefix) + pattern_of(handler.path), handler, arguments)
        for handler in handlers
    ]


def calls(handlers: Iterable[type[Handler]]) -> list[Call]:
    """Return everything that handlers can do."""
    return [
        Call(method, handler.path, operation)
        for handler in handlers
        for method, operation in handler.operations.items()
    ]
