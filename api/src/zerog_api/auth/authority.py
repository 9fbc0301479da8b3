"""Who decides over callers: the interface of token files and of Kubernetes.

An authority that cannot decide now raises `AuthorityAwayError`: unknown is not allowed, and the
client is told to come back.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from zerog.model.errors import ZeroGError
from zerog_api.auth.access import Verb


class AuthorityAwayError(ZeroGError):
    """Callers cannot be checked now."""

    transient = True


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who showed a good token."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a token without asking anybody: its caller, or None if it is bad."""

    caller: Caller | None


class Authority(Protocol):
    """Says who a token belongs to, and what they may do."""

    def recall(self, token: str) -> Known | None:
        """Return what is known of a token without asking anybody."""

    async def identify(self, token: str) -> Caller | None:
        """Return the token's caller; None: it is no good token. `AuthorityAwayError`."""

    async def may(self, caller: Caller, verb: Verb, queue: str | None) -> bool:
        """Whether a caller may; without a queue: in all of them. `AuthorityAwayError`."""

    async def close(self) -> None:
        """Close connections."""


def fingerprint(token: str) -> str:
    """Return what stands for a token in memory and in files: its SHA-256.

    Tokens are random and long, so that neither salt nor slowness is needed; and a look-up by
    hash takes a time that tells nothing of the token.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def frozen_extra(extra: Mapping[str, list[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return a TokenReview's `extra` as something that can be a key."""
    return tuple(sorted((name, tuple(values)) for name, values in extra.items()))
