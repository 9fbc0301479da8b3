"""How the tests' Couchbase speaks TLS, and who a client's certificate names.

A certificate of a client is a login, as on a real server: its common name is the user.
"""

import ssl
from pathlib import Path


def server_context(
    certificate: Path, key: Path, authority: Path | None, *, required: bool
) -> ssl.SSLContext:
    """Return how the server speaks TLS. With an authority it looks at clients' certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if authority is not None:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def named_user(ssl_object: ssl.SSLObject | None) -> str | None:
    """Return whom the certificate of a connection's client names; None if it has shown none."""
    shown = ssl_object.getpeercert() if ssl_object is not None else None
    subject: tuple[tuple[tuple[str, str], ...], ...] = (shown or {}).get("subject", ())  # type: ignore[assignment]  # what it is, the types leave open
    for parts in subject:
        for field, value in parts:
            if field == "commonName":
                return value
    return None
