"""Pages of other origins: shut out, unless a setting lets one in (CORS). Pure.

Tokens are sent by scripts, never by browsers of themselves, so no credentials are allowed.
"""

from collections.abc import Collection

from zerog_api.http import Request, Response
from zerog_api.problems import Problem

_METHODS = "GET, POST, DELETE"
_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
_EXPOSED = "Location, Retry-After, ETag"
#: How long a browser may remember what it was told.
_REMEMBER_SECONDS = 600


class Cors:
    """Answers for the origins that are let in."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)

    def preflight(self, request: Request) -> Response | None:
        """Return the answer to a browser that asks beforehand; None if it is no such question."""
        origin = request.headers.get("Origin")
        asked = request.headers.get("Access-Control-Request-Method")
        if request.method != "OPTIONS" or origin not in self._origins or not asked:
            return None
        headers = {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": str(_REMEMBER_SECONDS),
            "Vary": "Origin",
        }
        return Response(204, headers=headers)

    def headers(self, request: Request) -> dict[str, str]:
        """Return what an answer says besides, so that the origin's page may read it."""
        origin = request.headers.get("Origin")
        if origin not in self._origins:
            return {"Vary": "Origin"}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": _EXPOSED,
            "Vary": "Origin",
        }


def refuse_foreign_page(request: Request, origins: Collection[str]) -> None:
    """Return unless a browser sends this for a page of another origin: then a 403 `Problem`.

    Without tokens nothing else keeps any page that a person opens from changing jobs here.
    """
    origin = request.headers.get("Origin")
    if origin is None or origin in origins:
        return
    if request.headers.get("Sec-Fetch-Site") == "same-origin":
        return
    if origin.partition("://")[2] != request.headers.get("Host"):
        detail = "pages of other origins may not change jobs; ZEROG_CORS_ORIGINS lets one in"
        raise Problem(403, "foreign-origin", detail)
