"""Server-side apply by the API itself.

kubectl asks the server for its schemas first, which costs both of them more than the object. What
a user's own kubectl makes of an object is for the tests that run it.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from zerog_tools.cluster.process import ClusterError

_CLUSTER_WIDE = frozenset({"ClusterRole", "ClusterRoleBinding"})
#: A misspelt field is an error, as it is for kubectl.
_OPTIONS = {"fieldManager": "tests", "force": "true", "fieldValidation": "Strict"}


def apply(client: httpx.Client, objects: Iterable[Mapping[str, Any]], namespace: str) -> None:
    """Make objects, or change them to what is given.

    Raises:
        ClusterError: One was refused; the message is the API server's.
    """
    for document in objects:
        answer = client.patch(
            _path_of(document, namespace),
            params=_OPTIONS,
            headers={"Content-Type": "application/apply-patch+yaml"},
            content=json.dumps(document),
        )
        if answer.is_error:
            raise ClusterError(answer.json()["message"])


def _path_of(document: Mapping[str, Any], namespace: str) -> str:
    """Return where an object stands in the API."""
    version, kind, name = document["apiVersion"], document["kind"], document["metadata"]["name"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    place = "" if kind in _CLUSTER_WIDE else f"/namespaces/{namespace}"
    return f"{root}{place}/{kind.lower()}s/{name}"
