"""What the environment says about the network: proxies and certificates.

A loopback address needs neither. Elsewhere a broken setting is reported by name, and a token that
would be sent unencrypted causes a warning.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import httpx

from zerog.model.errors import ConfigError

log = logging.getLogger("zerog.client")

_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
_MAX_PORT = 65535
#: Warnings that were given in this process: one for each host.
_warned: set[str] = set()


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
    # A redirect may lead to another host, which must not get parameters or a token.
    options: dict[str, Any] = {"follow_redirects": False}
    if not is_loopback(address.host):
        return options
    # The environment's certificates still count where there are certificates.
    verify = httpx.create_ssl_context() if address.scheme == "https" else False
    return {**options, "trust_env": False, "verify": verify}


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name."""
    try:
        return is_literal_loopback(host) or ip_address(host).is_unspecified
    except ValueError:
        return host.endswith(".localhost")


def is_literal_loopback(host: str) -> bool:
    """Whether a host is `localhost` or an address of loopback: nothing that others may define."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def in_the_clear(url: str) -> str | None:
    """Return what to say of a token that is sent to an address, None if nobody can read it."""
    address = read_address(url)
    if address.scheme != "http" or is_loopback(address.host):
        return None
    proxies = proxy_settings()
    through = f", also the proxy of {' or '.join(proxies)}" if proxies else ""
    return (
        f"the token is sent to {address.host} over http, so anyone on the network path can read it"
        f"{through}: use https, or keep to a network that you trust"
    )


def warn_in_the_clear(url: str, warn: Callable[[str], object] | None = None) -> None:
    """Warn, once in a process, of a token that is sent in the clear. By default that is logged."""
    text = in_the_clear(url)
    if text is not None and text not in _warned:
        _warned.add(text)
        (warn or log.warning)(text)


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
