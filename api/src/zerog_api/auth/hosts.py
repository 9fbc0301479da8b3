"""By what names the API may be called where it asks for no token. Pure.

A page of a stranger can make its own name resolve to a loopback address (DNS rebinding). For the
browser its calls then stay within the page's origin, so that nothing else would keep them out;
but they carry the stranger's name in `Host`.
"""

import ipaddress
import re
from collections.abc import Collection

from zerog_api.http import Request
from zerog_api.problems import Problem

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:,\s]+))(?::[0-9]*)?")


class Hosts:
    """Answers only calls by loopback names, and by those that are let in besides."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(name.lower() for name in names)

    def check(self, request: Request) -> None:
        """Return if the request is for this API. A 421 `Problem` if not."""
        header = request.headers.get("Host")
        if header is None:  # no browser leaves it out
            return
        found = _HOST.fullmatch(header.strip().lower())
        name = (found[1] or found[2]) if found else ""
        if not is_local_only(name) and name not in self._names:
            raise Problem(
                421,
                "foreign-host",
                f"without tokens this API is only called localhost or 127.0.0.1, not "
                f"{header[:100]!r}; ZEROG_HOSTS lets a name in",
            )


def is_local_only(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
