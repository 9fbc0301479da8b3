"""The operator's calls to the API server, but for the watches, which are kopf's.

The official client signs in and keeps the connections; bodies are plain JSON in and out, because
its models cost more than the calls. Every call has a deadline. What goes wrong is a `CallError`
with the server's own words; `ambiguous` says that the change may have happened.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException

from zerog.model.errors import ZeroGError
from zerog_operator import names

CALL_SECONDS = 10.0
#: Objects of a list that are read at a time: long lists must not hold up the loop.
PAGE = 250
_MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class ListPage:
    """A part of a list. All parts of one list have the same version."""

    items: list[dict[str, Any]]
    version: int


class CallError(ZeroGError):
    """The API server refused a call or did not answer."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        #: HTTP status; 0 when there was no answer.
        self.status = status
        self.reason = reason
        self.message = message

    @property
    def ambiguous(self) -> bool:
        """Whether the change may have happened all the same."""
        return self.status == 0 or self.status >= 500


async def load_client(kubeconfig: str | None) -> client.ApiClient:
    """Return a client by the pod's service account, or by the kubeconfig outside a cluster."""
    try:
        config.load_incluster_config()  # type: ignore[no-untyped-call]
    except config.ConfigException:
        await config.load_kube_config(kubeconfig)  # type: ignore[no-untyped-call]
    return client.ApiClient()


class Cluster:
    """The calls that the operator makes."""

    def __init__(self, api: client.ApiClient, note_error: Callable[[str], None]) -> None:
        """Wrap a client; `note_error` hears of each call that went wrong, e.g. "POST pods"."""
        self._api = api
        self._note_error = note_error

    async def create_pod(self, pod: dict[str, Any]) -> dict[str, Any] | None:
        """Create a pod and return it. One that is there already is as good: None.

        A field that the API server does not know is refused, so that a misspelt one is reported.
        """
        namespace = pod["metadata"]["namespace"]
        path = f"/api/v1/namespaces/{namespace}/pods?fieldValidation=Strict"
        try:
            created: dict[str, Any] = await self._call("POST", path, pod)
        except CallError as error:
            if error.reason != "AlreadyExists":
                raise
            return None
        return created

    def list_pods(self, namespace: str | None) -> AsyncIterator[ListPage]:
        """Return all pools' pods of a namespace, or of all, as they are at one moment."""
        place = "" if namespace is None else f"/namespaces/{namespace}"
        return self._list(f"/api/v1{place}/pods", labelSelector=names.POOL_LABEL)

    def list_pools(self, namespace: str | None) -> AsyncIterator[ListPage]:
        """Return all pools of a namespace, or of all, as they are at one moment."""
        place = "" if namespace is None else f"/namespaces/{namespace}"
        return self._list(f"/apis/{names.GROUP}/{names.VERSION}{place}/{names.PLURAL}")

    async def delete_pod(
        self, namespace: str, name: str, *, uid: str, resource_version: str | None = None
    ) -> bool:
        """Delete a pod if it still is what was looked at; whether it was deleted."""
        preconditions = {"uid": uid}
        if resource_version is not None:
            preconditions["resourceVersion"] = resource_version
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        try:
            await self._call("DELETE", path, {"preconditions": preconditions})
        except CallError as error:
            if error.status in (404, 409):
                return False
            raise
        return True

    async def annotate_pod(
        self, namespace: str, name: str, *, uid: str, annotations: dict[str, str | None]
    ) -> dict[str, Any] | None:
        """Set a pod's annotations, remove those that are None, and return the pod.

        One that is gone, or another pod of this name: None.
        """
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        body = {"metadata": {"uid": uid, "annotations": annotations}}
        try:
            patched: dict[str, Any] = await self._call("PATCH", path, body, _MERGE_PATCH)
        except CallError as error:
            if error.status in (404, 409):
                return None
            raise
        return patched

    async def patch_status(self, namespace: str, name: str, status: dict[str, Any]) -> None:
        """Write a pool's status; keys that are None are removed. A pool that is gone is fine."""
        path = f"/apis/{names.GROUP}/{names.VERSION}/namespaces/{namespace}/{names.PLURAL}/{name}"
        try:
            await self._call("PATCH", f"{path}/status", {"status": status}, _MERGE_PATCH)
        except CallError as error:
            if error.status != 404:
                raise

    async def read_lease(self, namespace: str, name: str) -> dict[str, Any]:
        """Return a Lease."""
        lease: dict[str, Any] = await self._call("GET", _lease_path(namespace, name))
        return lease

    async def write_lease(self, namespace: str, lease: dict[str, Any]) -> bool:
        """Replace a Lease as it was read; False if somebody else was faster."""
        try:
            await self._call("PUT", _lease_path(namespace, lease["metadata"]["name"]), lease)
        except CallError as error:
            if error.status == 409:
                return False
            raise
        return True

    async def ping(self) -> None:
        """Return if the API server answers."""
        await self._call("GET", "/version")

    async def _list(self, path: str, **selectors: str) -> AsyncIterator[ListPage]:
        query = {"limit": str(PAGE), **selectors}
        while True:
            page = await self._call("GET", f"{path}?{urlencode(query)}")
            yield ListPage(page["items"], int(page["metadata"]["resourceVersion"]))
            token = page["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    async def _call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Any:
        try:
            return await self._ask(method, path, body, content_type)
        except CallError as error:
            # What is gone, or was changed by somebody else, is no error but news.
            if error.status not in (404, 409):
                self._note_error(f"{method} {_resource(path)}")
            raise

    async def _ask(self, method: str, path: str, body: Any, content_type: str) -> Any:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        request: Any = await self._api.param_serialize(
            method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        try:
            async with asyncio.timeout(CALL_SECONDS):
                response, answer = await self._ask_patiently(request)
        except ApiException as error:
            raise _error(error.status or 0, error.body or "") from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            text = f"the API server does not answer: {error or type(error).__name__}"
            raise CallError(0, "Unreachable", text) from error
        if not 200 <= response.status <= 299:
            raise _error(response.status, answer)
        return json.loads(answer)

    async def _ask_patiently(self, request: Any) -> tuple[Any, bytes]:
        """Make a call, and again when the server asks for it to be made later, if that is soon."""
        deadline = time.monotonic() + CALL_SECONDS
        while True:
            response: Any = await self._api.call_api(*request)
            answer = await response.read()
            pause = response.headers.get("Retry-After", "")
            if response.status != 429 or not pause.isdigit():
                return response, answer
            if time.monotonic() + int(pause) >= deadline:
                return response, answer
            await asyncio.sleep(int(pause))


def _lease_path(namespace: str, name: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"


def _resource(path: str) -> str:
    """Return what a call is about: "pods", "zerogworkerpools", "leases" or "version"."""
    words = path.partition("?")[0].strip("/").split("/")
    known = ("pods", names.PLURAL, "leases")
    return next((word for word in words if word in known), words[-1])


def _error(status: int, body: bytes | str) -> CallError:
    try:
        answer = json.loads(body)
        return CallError(status, answer.get("reason", ""), answer.get("message", ""))
    except (ValueError, AttributeError):
        return CallError(status, "", f"HTTP status {status}")
