"""Pages of other origins: shut out, unless a setting lets one in (CORS). Pure.

Tokens are sent by scripts, never by browsers of themselves, so no credentials are allowed.
"""

from collections.abc import Collection

from zerog_api.http import Request, Response

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
