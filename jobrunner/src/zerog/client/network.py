"""What the environment says about the network: proxies and certificates.

A loopback address needs neither. Elsewhere a broken setting is told with its name.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import httpx

from zerog.model.errors import ConfigError

_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
_MAX_PORT = 65535


def read_address(url: str) -> httpx.URL:
    """Return the address of an API. `ConfigError` if it cannot be one."""
    try:
        address = httpx.URL(url)
        address.host.encode("idna")  # as the resolver will
    except (httpx.InvalidURL, ValueError) as error:
        raise ConfigError(f"{url!r} is not the address of an API: {error}") from error
    if address.port is not None and address.port > _MAX_PORT:
        raise ConfigError(f"{url!r} is not the address of an API: ports end at {_MAX_PORT}")
    return address


def reaching(url: str) -> dict[str, Any]:
    """Return the options by which httpx reaches an address. `ConfigError` if it is none."""
    address = read_address(url)
    if not is_loopback(address.host):
        return {}
    # The environment's certificates still count where there are certificates.
    verify = httpx.create_ssl_context() if address.scheme == "https" else False
    return {"trust_env": False, "verify": verify}


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name."""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def proxy_settings() -> list[str]:
    """Return the names of the variables that are set and name proxies."""
    return sorted(name for name, value in os.environ.items() if value and name.lower() in _PROXIES)


@contextmanager
def explained() -> Iterator[None]:
    """Say which part of the environment keeps a client from being made."""
    try:
        yield
    except OSError as error:
        names = [name for name in _CERTIFICATES if os.environ.get(name)]
        text = f"the certificates of {' or '.join(names) or 'certifi'} cannot be used: {error}"
        raise ConfigError(text) from error
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise ConfigError(
            f"the proxies that the environment names cannot be used ({error}): "
            f"look at {', '.join(proxy_settings())}"
        ) from error
