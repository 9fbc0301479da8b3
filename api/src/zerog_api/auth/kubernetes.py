"""Service accounts' tokens: TokenReview says whose a token is, SubjectAccessReview what they may.

Rights are those of RBAC on a virtual resource: group `zerog.dev`, resource `jobs`, the verbs of
`Verb`, in one namespace, with queues as resource names. `/metrics` is a non-resource URL.
Answers are believed for some seconds, so a right that is taken away ends soon. An API server that
does not answer means 503: unknown is not allowed.
"""

import asyncio
import json
import logging
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from zerog.model.errors import ConfigError
from zerog_api.auth.access import Verb
from zerog_api.auth.authority import (
    AuthorityAwayError,
    Caller,
    Known,
    fingerprint,
    frozen_extra,
)
from zerog_api.auth.cache import TimedCache

log = logging.getLogger(__name__)

#: How long a yes is believed: the time that a right or a token outlives its end.
YES_SECONDS = 10.0
#: How long a no is believed: the time that a new right needs.
NO_SECONDS = 3.0
#: So many questions are asked at the same time.
MAX_QUESTIONS = 20
MAX_TOKENS, MAX_DECISIONS = 10_000, 100_000
GROUP, RESOURCE = "zerog.dev", "jobs"
_TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


def build_token_review(token: str, audiences: Sequence[str]) -> dict[str, Any]:
    """Return the question whose token it is."""
    spec: dict[str, Any] = {"token": token}
    if audiences:
        spec["audiences"] = list(audiences)
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}


def read_token_review(review: Mapping[str, Any], audiences: Sequence[str]) -> Caller | None:
    """Return the caller that a TokenReview names; None if the token is not good.

    An API server that knows nothing of audiences names none, and then has not checked them.
    """
    status = review["status"]
    if not status.get("authenticated"):
        return None
    if audiences and not set(audiences) & set(status.get("audiences") or ()):
        return None
    user = status["user"]
    return Caller(
        user["username"],
        user.get("uid", ""),
        tuple(user.get("groups") or ()),
        frozen_extra(user.get("extra") or {}),
    )


def build_access_review(
    caller: Caller, verb: Verb, queue: str | None, namespace: str
) -> dict[str, Any]:
    """Return the question whether a caller may; without a queue: in all of them."""
    spec: dict[str, Any] = {
        "user": caller.name,
        "uid": caller.uid,
        "groups": list(caller.groups),
        "extra": {name: list(values) for name, values in caller.extra},
    }
    if verb is Verb.METRICS:
        spec["nonResourceAttributes"] = {"path": "/metrics", "verb": "get"}
    else:
        spec["resourceAttributes"] = {
            "namespace": namespace,
            "group": GROUP,
            "resource": RESOURCE,
            "verb": str(verb),
            "name": queue or "",
        }
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


def read_access_review(review: Mapping[str, Any]) -> bool:
    """Return whether a SubjectAccessReview allows it."""
    status = review["status"]
    return status.get("allowed") is True and status.get("denied") is not True


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Where Kubernetes puts a pod's own credentials."""

    folder: Path

    def token(self) -> str:
        """Return the token; it is read each time because it rotates. `OSError`."""
        return (self.folder / "token").read_text(encoding="ascii").strip()

    def namespace(self) -> str:
        """Return the pod's namespace. `ConfigError` if there is none."""
        try:
            return (self.folder / "namespace").read_text(encoding="ascii").strip()
        except OSError as error:
            raise ConfigError(
                f"no namespace: set ZEROG_KUBERNETES_NAMESPACE, or run in a pod ({error})"
            ) from error

    def trust(self) -> ssl.SSLContext:
        """Return what the API server's certificate is checked with. `ConfigError`."""
        try:
            return ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"no ca.crt in {self.folder} ({error}): ZEROG_AUTH=kubernetes needs a pod with "
                "automountServiceAccountToken"
            ) from error


class Kubernetes:
    """The authority of a cluster's API server."""

    def __init__(
        self,
        url: str,
        account: ServiceAccount,
        *,
        namespace: str | None,
        audiences: Sequence[str],
        deadline_seconds: float,
    ) -> None:
        """`ConfigError` if this is no pod with a service account."""
        self._account = account
        self._namespace = namespace or account.namespace()
        self._audiences = tuple(audiences)
        self._deadline_seconds = deadline_seconds
        self._turns = asyncio.Semaphore(MAX_QUESTIONS)
        self._http = httpx.AsyncClient(
            base_url=url, verify=account.trust(), timeout=deadline_seconds, trust_env=False
        )
        self._tokens: TimedCache[str, Caller | None] = TimedCache(
            lambda caller: YES_SECONDS if caller else NO_SECONDS, most=MAX_TOKENS
        )
        self._decisions: TimedCache[tuple[Caller, Verb, str | None], bool] = TimedCache(
            lambda allowed: YES_SECONDS if allowed else NO_SECONDS, most=MAX_DECISIONS
        )

    def recall(self, token: str) -> Known | None:
        """See `Authority`."""
        known = self._tokens.recall(fingerprint(token))
        return Known(known[0]) if known else None

    async def identify(self, token: str) -> Caller | None:
        """See `Authority`."""
        return await self._tokens.get(fingerprint(token), lambda: self._review_token(token))

    async def may(self, caller: Caller, verb: Verb, queue: str | None) -> bool:
        """See `Authority`."""
        key = (caller, verb, queue)
        return await self._decisions.get(key, lambda: self._review_access(*key))

    async def close(self) -> None:
        """See `Authority`."""
        await self._http.aclose()

    async def _review_token(self, token: str) -> Caller | None:
        question = build_token_review(token, self._audiences)
        answer = await self._ask(_TOKEN_REVIEWS, question)
        try:
            return read_token_review(answer, self._audiences)
        except (KeyError, TypeError, AttributeError) as error:
            raise _unreadable(error) from error

    async def _review_access(self, caller: Caller, verb: Verb, queue: str | None) -> bool:
        question = build_access_review(caller, verb, queue, self._namespace)
        answer = await self._ask(_ACCESS_REVIEWS, question)
        try:
            return read_access_review(answer)
        except (KeyError, TypeError, AttributeError) as error:
            raise _unreadable(error) from error

    async def _ask(self, path: str, question: Mapping[str, Any]) -> Any:
        try:
            async with asyncio.timeout(self._deadline_seconds), self._turns:
                response = await self._http.post(
                    path,
                    content=json.dumps(question),
                    headers={
                        "Authorization": f"Bearer {self._account.token()}",
                        "Content-Type": "application/json",
                    },
                )
        except (httpx.HTTPError, OSError, TimeoutError, ValueError) as error:
            raise AuthorityAwayError(
                f"Kubernetes' API server does not answer: {type(error).__name__}"
            ) from error
        if response.status_code in (401, 403):
            # Ours to mend: the client is told 503 all the same.
            log.error("this API may not ask %s: bind it to system:auth-delegator", path)
        if not response.is_success:
            raise AuthorityAwayError(f"Kubernetes' API server answers {response.status_code}")
        try:
            return response.json()
        except ValueError as error:
            raise _unreadable(error) from error


def _unreadable(error: Exception) -> AuthorityAwayError:
    return AuthorityAwayError(f"Kubernetes' answer is not readable: {type(error).__name__}")
