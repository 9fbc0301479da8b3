"""What a datastore's URL says: `couchbase://user@host/bucket/scope?network=default`.

`couchbases:` asks for TLS. Several hosts are separated by commas. What stands after the
question mark is for the SDK's connection string. Pure.
"""

import re
from dataclasses import dataclass

from zerog.model.errors import ConfigError

DEFAULT_SCOPE = "zerog"
_BUCKET = re.compile(r"[A-Za-z0-9_.%-]{1,100}")
_SCOPE = re.compile(r"[A-Za-z0-9-][A-Za-z0-9_%-]{0,250}|_default")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the documents are, and who asks for them."""

    #: For the SDK: scheme, hosts, options.
    connection: str
    bucket: str
    scope: str
    #: None with a client certificate.
    user: str | None

    @property
    def is_tls(self) -> bool:
        return self.connection.startswith("couchbases://")


def parse_address(url: str) -> Address:
    """Read a datastore's URL. `ConfigError` says what is wrong with it."""
    scheme, _, rest = url.partition("://")
    place, _, options = rest.partition("?")
    netloc, _, path = place.partition("/")
    login, at, hosts = netloc.rpartition("@")
    user, colon, _ = login.partition(":")
    bucket, _, scope = path.rstrip("/").partition("/")
    scope = scope or DEFAULT_SCOPE
    if colon:
        raise ConfigError(
            "the datastore's URL contains a password: put it into ZEROG_COUCHBASE_PASSWORD_FILE"
        )
    if not hosts or (at and not user):
        raise ConfigError(f"{url!r} names no host: write couchbase://user@host/bucket/scope")
    if not _BUCKET.fullmatch(bucket) or not _SCOPE.fullmatch(scope):
        raise ConfigError(
            f"{url!r} names no bucket and scope: write couchbase://user@host/bucket/scope"
        )
    connection = f"{scheme}://{hosts}" + (f"?{options}" if options else "")
    return Address(connection, bucket, scope, user or None)
