"""The registered job types as the API sees them, and the validation of parameters against them."""

import asyncio
import difflib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs

from zerog.store.port import Datastore
from zerog_api.auth.access import Access
from zerog_api.problems import Fault, Problem

log = logging.getLogger(__name__)

#: How old the known types may be. A new type is looked up at once all the same.
REFRESH_SECONDS = 1.0
#: Unknown names are looked up in the datastore at most this often.
MISS_SECONDS = 0.1
MAX_FAULTS = 50
#: So many near names are looked at, and told.
MAX_NEAR, SHOWN_NEAR = 10, 3


@dataclass(frozen=True, slots=True)
class RegisteredType:
    """A type's document with its compiled schema; None if it cannot be compiled here."""

    document: Mapping[str, Any]
    revision: str
    validator: Any

    @property
    def queue(self) -> str:
        """The queue that the type's jobs go to."""
        return str(self.document["queue"])

    def faults(
        self, parameters: dict[str, Any], root: str = "$", *, only_first: bool = False
    ) -> list[Fault]:
        """Return what is wrong with parameters, one entry per fault."""
        if self.validator is None:
            return []
        try:
            self.validator.validate(parameters)
        except jsonschema_rs.ValidationError as error:
            if only_first:
                return [_fault(error, root)]
            errors = islice(self.validator.iter_errors(parameters), MAX_FAULTS)
            return [_fault(found, root) for found in errors]
        return []


def _fault(error: Any, root: str) -> Fault:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path]
    return Fault(root + "".join(parts), error.message[:500])


class Types:
    """Keeps the types at hand."""

    def __init__(self, store: Datastore) -> None:
        self._store = store
        self._types: dict[str, RegisteredType] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def get(self, name: str, access: Access) -> RegisteredType:
        """Return a type. A 404 `Problem` names those that are near, and that the caller may see."""
        await self._refresh(REFRESH_SECONDS)
        found = self._types.get(name)
        if found is None:
            await self._refresh(MISS_SECONDS)
            found = self._types.get(name)
        if found is not None:
            return found
        near = difflib.get_close_matches(name[:100], self._types, n=MAX_NEAR)
        queues = {other: self._types[other].queue for other in near}
        seen = set(await access.among({*queues.values()}))
        near = [other for other in near if queues[other] in seen][:SHOWN_NEAR]
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise Problem(
            404,
            "unknown-type",
            f"no worker has registered the job type {name[:100]!r}{hint} "
            "(GET /v1/types lists them)",
        )

    async def all(self) -> list[Mapping[str, Any]]:
        """Return all types' documents, by name."""
        await self._refresh(MISS_SECONDS)
        return [self._types[name].document for name in sorted(self._types)]

    async def queues(self) -> list[str]:
        """Return the queues of all types."""
        await self._refresh(REFRESH_SECONDS)
        return sorted({item.queue for item in self._types.values()})

    async def _refresh(self, max_age_seconds: float) -> None:
        if time.monotonic() - self._read_at < max_age_seconds:
            return
        async with self._reading:
            if time.monotonic() - self._read_at < max_age_seconds:
                return
            stored = await self._store.scan("types")
            known = self._types
            self._types = {
                name: known[name]
                if name in known and known[name].revision == item.revision
                else RegisteredType(item.document, item.revision, _compile(item.document))
                for name, item in stored.items()
            }
            self._read_at = time.monotonic()


def _compile(document: Mapping[str, Any]) -> Any:
    try:
        return jsonschema_rs.validator_for(json.dumps(document["schema"]), validate_formats=True)
    except (KeyError, TypeError, ValueError) as error:  # a pattern of another dialect, say
        log.warning("parameters of %s are left to its worker: %s", document.get("name"), error)
        return None
