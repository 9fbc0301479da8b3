"""Pages of other origins: shut out, unless a setting lets one in (CORS). Pure.

Tokens are sent by scripts, never by browsers of themselves, so no credentials are allowed.
"""

from collections.abc import Collection, Mapping

from zerog_api.problems import Problem

_METHODS = "GET, POST, DELETE"
_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id, Traceparent"
_EXPOSED = "Location, Retry-After, ETag, X-Request-Id"
#: How long a browser may remember what it was told.
_REMEMBER_SECONDS = 600


class Cors:
    """Answers for the origins that are let in. It gets the headers of requests."""

    def __init__(self, origins: Collection[str] = ()) -> None:
        self._origins = frozenset(origins)

    def preflight(self, request: Mapping[str, str]) -> dict[str, str] | None:
        """Return what to tell a browser that asks beforehand; None if it is no such question."""
        origin = request.get("Origin")
        if origin not in self._origins or not request.get("Access-Control-Request-Method"):
            return None
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": str(_REMEMBER_SECONDS),
            "Vary": "Origin",
        }

    def headers(self, request: Mapping[str, str]) -> dict[str, str]:
        """Return what an answer says besides, so that the origin's page may read it."""
        if not self._origins:
            return {}
        origin = request.get("Origin")
        if origin not in self._origins:
            return {"Vary": "Origin"}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": _EXPOSED,
            "Vary": "Origin",
        }

    def refuse_foreign_page(self, request: Mapping[str, str]) -> None:
        """Return unless a browser sends this for a page of another origin: then a 403 `Problem`.

        Without tokens nothing else keeps any page that a person opens from changing jobs here.
        """
        origin = request.get("Origin")
        if origin is None or origin in self._origins:
            return
        if request.get("Sec-Fetch-Site") == "same-origin":
            return
        if origin.partition("://")[2] != request.get("Host"):
            detail = "pages of other origins may not change jobs; ZEROG_CORS_ORIGINS lets one in"
            raise Problem(403, "foreign-origin", detail)
