"""By what names the API may be called where it asks for no token. Pure.

A page of a stranger can make its own name resolve to a loopback address (DNS rebinding). For the
browser its calls then stay within the page's origin, so that nothing else would keep them out;
but they carry the stranger's name in `Host`.
"""

import ipaddress
import re
from collections.abc import Collection
from functools import lru_cache

from zerog_api.problems import Problem

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:,\s]+))(?::[0-9]*)?")


class Hosts:
    """Answers only calls by loopback names, and by those that are let in besides."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(name.lower() for name in names)
        self._allows = lru_cache(maxsize=16)(self._look_up)  # each request asks

    def check(self, header: str | None) -> None:
        """Return if a request with this `Host` is for this API. A 421 `Problem` if not."""
        # No browser leaves it out.
        if header is not None and not self._allows(header):
            raise Problem(
                421,
                "foreign-host",
                f"without tokens this API answers only to localhost or 127.0.0.1, not "
                f"{header[:100]!r}; ZEROG_HOSTS allows a name",
            )

    def _look_up(self, header: str) -> bool:
        found = _HOST.fullmatch(header.strip().lower())
        name = (found[1] or found[2]) if found else ""
        return is_local_only(name) or name in self._names


def is_local_only(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
