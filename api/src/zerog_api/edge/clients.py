"""Whose a request is, as long as only its address is known. Pure."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

#: Proxies in a row; no real path has more.
MAX_HOPS = 20


def network_of(address: str) -> str:
    """Return what stands for the owner of an address: with IPv6 one host has a whole /64."""
    found = _read(address)
    if found is None or isinstance(found, IPv4Address):
        return address if found is None else str(found)
    return str(ipaddress.ip_network((int(found), 64), strict=False))


class Proxies:
    """The proxies that are trusted to say for whom they call.

    A proxy adds the address of its client at the end of `X-Forwarded-For`. So the list is read from
    its end, as far as each address is that of a trusted proxy: anybody may have written the rest.
    """

    def __init__(self, networks: Sequence[IPv4Network | IPv6Network] = ()) -> None:
        self._networks = tuple(networks)
        self._is_trusted = lru_cache(maxsize=1024)(self._look_up)  # each request asks

    def trust(self, address: str) -> bool:
        """Whether this is the address of a trusted proxy."""
        return bool(self._networks) and self._is_trusted(address)

    def client_of(self, peer: str, forwarded: str | None) -> str:
        """Return the client's address, by the connection's other side and the header."""
        if not forwarded or not self.trust(peer):
            return peer
        client = peer
        for part in reversed(forwarded.split(",")[-MAX_HOPS:]):
            found = _read(_without_port(part.strip()))
            if found is None:  # what a proxy did not write
                break
            client = str(found)
            if not self.trust(client):
                break
        return client

    def _look_up(self, address: str) -> bool:
        found = _read(address)
        return found is not None and any(found in network for network in self._networks)


def _read(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _without_port(text: str) -> str:
    """Return the address of `1.2.3.4:80` or `[::1]:80`, as some proxies write them."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
