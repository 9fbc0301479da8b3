"""Who signs in, by password or certificate: what the files hold that the settings name.

They are read again and again, because they change while ZeroG runs.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from couchbase.auth import CertificateAuthenticator, PasswordAuthenticator

from zerog.model.errors import ConfigError
from zerog.privatefile import read_secret
from zerog.settings import CouchbaseSettings
from zerog.store.couchbase.address import Address

#: Settings whose files only their owner may read.
_SECRETS = frozenset({"couchbase_password_file", "couchbase_key_path"})


@dataclass(frozen=True, slots=True)
class Login:
    """What the files of a login held when they were read. Two that differ are two logins."""

    password: str | None = field(repr=False)
    #: Authority, certificate and key.
    files: tuple[bytes | None, ...] = field(repr=False)


def read_login(settings: CouchbaseSettings) -> Login:
    """Read the files that the settings name. `ConfigError`: one cannot be read."""
    password = settings.couchbase_password
    if settings.couchbase_password_file:
        content = _content(settings, "couchbase_password_file") or b""
        password = content.decode(errors="replace").strip() or None
    names = ("couchbase_ca_path", "couchbase_cert_path", "couchbase_key_path")
    return Login(password, tuple(_content(settings, name) for name in names))


def _content(settings: CouchbaseSettings, name: str) -> bytes | None:
    path = getattr(settings, name)
    try:
        if not path:
            return None
        return read_secret(path) if name in _SECRETS else Path(path).read_bytes()
    except ConfigError as error:
        raise ConfigError(f"ZEROG_{name.upper()}: {error}") from error
    except OSError as error:
        raise ConfigError(f"ZEROG_{name.upper()}: {error}") from error


def authenticator(address: Address, settings: CouchbaseSettings, login: Login) -> Any:
    """Return the SDK's login. `ConfigError`: something is missing, or does not go together."""
    ca = settings.couchbase_ca_path
    if settings.couchbase_cert_path or settings.couchbase_key_path:
        if not (settings.couchbase_cert_path and settings.couchbase_key_path):
            raise ConfigError(
                "a client certificate needs ZEROG_COUCHBASE_CERT_PATH and ZEROG_COUCHBASE_KEY_PATH"
            )
        if not address.is_tls:
            raise ConfigError("a client certificate needs TLS: write couchbases://host/bucket")
        return CertificateAuthenticator(
            settings.couchbase_cert_path, settings.couchbase_key_path, ca
        )
    if address.user is None:
        raise ConfigError("the datastore's URL names no user: write couchbase://user@host/bucket")
    if login.password is None:
        raise ConfigError("ZEROG_COUCHBASE_PASSWORD or ZEROG_COUCHBASE_PASSWORD_FILE is not set")
    return PasswordAuthenticator(address.user, login.password, cert_path=ca)
