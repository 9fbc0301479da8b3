"""The bearer token of a client: given once, or read from a file that rotates.

Kubernetes renews a service account's token in its file long before it ends, so the file is
looked at for each request and read when it has changed. The token is sent in a header and stands
in no address, log or error.
"""

import os
from collections.abc import Generator

import httpx

from zerog.model.errors import ConfigError
from zerog.privatefile import read_secret


class Bearer(httpx.Auth):
    """Sends a token with each request."""

    def __init__(self, token: str | None = None, token_file: str | None = None) -> None:
        """A file wins over a token; without both nothing is sent."""
        self._token = token
        self._file = token_file
        self._seen: tuple[int, int] | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Called by httpx for each request."""
        token = self.token()
        if token and not (token.isascii() and token.isprintable()):
            raise ConfigError(
                "the token has characters that are not allowed in a header: is it complete?"
            )
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        yield request

    def token(self) -> str | None:
        """Return the token as it is now. `ConfigError` if it cannot be read, or others may."""
        if self._file is None:
            return self._token
        try:
            stat = os.stat(self._file)
            seen = (stat.st_mtime_ns, stat.st_ino)
            if seen != self._seen:
                self._token = read_secret(self._file).decode("ascii").strip()
                self._seen = seen
        except (OSError, UnicodeDecodeError) as error:
            if self._token is None:
                raise ConfigError(f"the token cannot be read from {self._file}: {error}") from error
        return self._token
