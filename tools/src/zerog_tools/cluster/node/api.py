"""The few calls that a node makes to the API server, with the node's own rights."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx

CALL_SECONDS = 20.0
#: The server ends a watch after this long, so a silent connection is noticed.
WATCH_SECONDS = 240
RETRY_SECONDS = 0.5

Object = dict[str, Any]


class ApiError(Exception):
    """The API server refused a call."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(f"{message} ({code})")


class NodeApi:
    """A client of one kubeconfig; all methods belong to one event loop."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self._client = httpx.AsyncClient(
            base_url=cluster["server"],
            verify=ssl.create_default_context(cafile=cluster["certificate-authority"]),
            headers={"Authorization": f"Bearer {config['users'][0]['user']['token']}"},
            timeout=CALL_SECONDS,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def call(
        self, method: str, path: str, body: Object | None = None, content: str = "json"
    ) -> Object:
        """Make a call and return the answer; wait for a server that is away.

        Raises:
            ApiError: The server refused it.
        """
        headers = {"Content-Type": f"application/{content}"}
        data = None if body is None else json.dumps(body)
        while True:
            try:
                answer = await self._client.request(method, path, content=data, headers=headers)
            except httpx.TransportError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if answer.status_code < httpx.codes.BAD_REQUEST:
                return dict(answer.json())
            if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                raise ApiError(answer.status_code, _message_of(answer))
            await asyncio.sleep(RETRY_SECONDS)

    async def find(self, path: str) -> Object | None:
        """Return an object, None when there is none."""
        try:
            return await self.call("GET", path)
        except ApiError as error:
            if error.code == httpx.codes.NOT_FOUND:
                return None
            raise

    async def patch_status(self, path: str, body: Object) -> Object:
        """Merge into an object's status as kubelet does: lists of conditions by type."""
        return await self.call("PATCH", f"{path}/status", body, "strategic-merge-patch+json")

    async def follow(self, path: str, selector: str) -> AsyncIterator[list[Object] | Object]:
        """Yield the list of all objects, then each event; the list again after a break.

        Never ends; objects that vanished during a break are missing from the next list.
        """
        while True:
            listed = await self.call("GET", f"{path}?fieldSelector={selector}")
            yield listed["items"]
            version = listed["metadata"]["resourceVersion"]
            try:
                async for event in self._watch(path, selector, version):
                    yield event
            except httpx.TransportError:
                await asyncio.sleep(RETRY_SECONDS)

    async def _watch(self, path: str, selector: str, version: str) -> AsyncIterator[Object]:
        parameters: Mapping[str, str] = {
            "fieldSelector": selector,
            "watch": "1",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = httpx.Timeout(CALL_SECONDS, read=WATCH_SECONDS + CALL_SECONDS)
        async with self._client.stream("GET", path, params=parameters, timeout=timeout) as answer:
            if not answer.is_success:
                return
            async for line in answer.aiter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event


def _message_of(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
