"""Static tokens from a file, for use outside of clusters.

The file is JSON, and read again when it changes:

    {"tokens": [{"name": "shop", "sha256": "…", "verbs": ["create", "get"], "queues": ["mail"]}]}

A token is given by its SHA-256, or as `token` in plain. `"queues": ["*"]` means all. A file
that is broken by a change, or that others may read from now on, is reported, and what was read
before stays in force. A file that is deleted, or that cannot be reached any more, ends its tokens.
"""

import hmac
import json
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zerog.model.errors import ConfigError
from zerog.privatefile import read_secret
from zerog_api.auth.access import Verb
from zerog_api.auth.authority import Caller, Known, fingerprint

log = logging.getLogger(__name__)

#: How often the file is looked at.
LOOK_SECONDS = 1.0
#: A shorter token can be guessed.
MIN_TOKEN_CHARS = 20
ALL_QUEUES = "*"
_NO_FILE = (-1, -1, -1, -1)
_SHA256 = re.compile("[0-9a-f]{64}")
_FIELDS = frozenset({"name", "token", "sha256", "verbs", "queues"})


@dataclass(frozen=True, slots=True)
class Grant:
    """What one token allows."""

    caller: Caller
    verbs: frozenset[Verb]
    queues: frozenset[str]

    def allows(self, verb: Verb, queue: str | None) -> bool:
        """Whether it allows a verb in a queue, or in all."""
        if verb not in self.verbs:
            return False
        return verb is Verb.METRICS or ALL_QUEUES in self.queues or queue in self.queues


def read_grants(text: str) -> dict[str, Grant]:
    """Read the file's text; return each token's grant by its fingerprint.

    Raises:
        ConfigError: Lists everything that is wrong, without the tokens.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"the tokens are no JSON: {error}") from error
    entries = document.get("tokens") if isinstance(document, dict) else None
    if not isinstance(entries, list) or set(document) != {"tokens"}:
        raise ConfigError('the tokens have to be {"tokens": [{"name": …, "sha256": …, …}]}')
    grants: dict[str, Grant] = {}
    problems: list[str] = []
    for number, entry in enumerate(entries):
        faults = _faults(entry)
        problems += [f"tokens[{number}]: {fault}" for fault in faults]
        if faults:
            continue
        mark = entry["sha256"] if "sha256" in entry else fingerprint(entry["token"])
        if mark in grants:
            problems.append(f"tokens[{number}]: the same token is given to {entry['name']} again")
        grants[mark] = Grant(
            Caller(entry["name"]),
            frozenset(Verb(verb) for verb in entry["verbs"]),
            frozenset(entry["queues"]),
        )
    names = [grant.caller.name for grant in grants.values()]
    problems += [f"the name {name} is used twice" for name in {*names} if names.count(name) > 1]
    if problems:
        raise ConfigError("; ".join(problems))
    return grants


def _faults(entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        return ["is no object"]
    faults = [f"{name[:50]} is no field of a token" for name in sorted(set(entry) - _FIELDS)]
    if not isinstance(entry.get("name"), str) or not entry["name"].strip():
        faults.append("has no name")
    if ("token" in entry) == ("sha256" in entry):
        faults.append("needs token or sha256, and not both")
    elif "token" in entry and not _is_strong(entry["token"]):
        faults.append(f"its token has to have {MIN_TOKEN_CHARS} characters or more")
    elif "sha256" in entry and not _is_sha256(entry["sha256"]):
        faults.append("its sha256 has to be 64 lower-case hexadecimal digits")
    for name, allowed in (("verbs", set(map(str, Verb))), ("queues", None)):
        values = entry.get(name)
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            faults.append(f"{name} has to be a list of texts")
        elif allowed and not set(values) <= allowed:
            faults.append(f"its verbs have to be of {', '.join(sorted(allowed))}")
    return faults


def _is_strong(token: Any) -> bool:
    return isinstance(token, str) and len(token) >= MIN_TOKEN_CHARS


def _is_sha256(text: Any) -> bool:
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


class TokenFile:
    """The authority of a file of tokens."""

    def __init__(self, path: str) -> None:
        """Read the file. `ConfigError` if it cannot be used."""
        self._path = Path(path)
        self._seen = self._state()
        self._looked = time.monotonic()
        self._grants: Mapping[str, Grant] = read_grants(self._read())
        self._by_name = {grant.caller.name: grant for grant in self._grants.values()}

    def recall(self, token: str) -> Known | None:
        """See `Authority`: everything is known."""
        self._look()
        mark = fingerprint(token)
        for known, grant in self._grants.items():
            if hmac.compare_digest(known, mark):
                return Known(grant.caller)
        return Known(None)

    async def identify(self, token: str) -> Caller | None:
        """See `Authority`."""
        known = self.recall(token)
        return known.caller if known else None

    async def may(self, caller: Caller, verb: Verb, queue: str | None) -> bool:
        """See `Authority`."""
        grant = self._by_name.get(caller.name)
        return grant is not None and grant.allows(verb, queue)

    async def close(self) -> None:
        """See `Authority`."""

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self._grants = {} if state == _NO_FILE else read_grants(self._read())
            self._by_name = {grant.caller.name: grant for grant in self._grants.values()}
            if state == _NO_FILE:
                log.error("%s is gone or out of reach, and its tokens have ended", self._path)
            else:
                log.info("the tokens were read again: %d", len(self._grants))
        except ConfigError as error:
            log.error("the changed tokens are not used: %s", error)

    def _state(self) -> tuple[int, int, int, int]:
        """A mounted Secret changes by another file under the same name."""
        try:
            stat = self._path.stat()
        except OSError:  # whoever took the file out of reach meant to end its tokens
            return _NO_FILE
        return (stat.st_mtime_ns, stat.st_ino, stat.st_size, stat.st_mode)

    def _read(self) -> str:
        try:
            return read_secret(self._path).decode("utf-8")
        except (OSError, ValueError) as error:
            raise ConfigError(f"the tokens cannot be read: {error}") from error
