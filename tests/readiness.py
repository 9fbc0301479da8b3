"""Ask a server again and again, until it answers what a test waits for.

`httpx.get` reads all of certifi's authorities each time, which costs more than the answer.
"""

import http.client
from urllib.parse import urlsplit

_SECONDS = 30.0


def fetch(url: str) -> str | None:
    """Return what a GET is answered with, None where nobody answers or the answer is an error."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_SECONDS)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        return answer.read().decode() if answer.status < 300 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def is_success(url: str) -> bool:
    """Whether a GET of this URL is answered, and by a success."""
    return fetch(url) is not None
