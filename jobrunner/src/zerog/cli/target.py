"""Which API a command talks to, and with which token.

An address is given by `--url` or `ZEROG_URL`, or noted by a `zerog dev` in this folder. Nothing is
guessed: another project's API may listen on the usual port. Invariant: a token is sent to an
address that was given, never to one that was noted, since the folder may be a stranger's.
"""

import argparse
import socket
import sys
from dataclasses import dataclass
from urllib.parse import urlsplit

from zerog.cli.words import say
from zerog.client import AsyncClient, Client
from zerog.client.calls import RETRY_SECONDS
from zerog.client.network import is_loopback, proxy_settings, read_address, warn_in_the_clear
from zerog.client.warned import OnWarning
from zerog.devnote import FOLDER, NAME, read_note
from zerog.model.errors import ConfigError
from zerog.settings import ClientSettings, environment, load

_NOTE = FOLDER / NAME
_HOW = "give the API's address with --url or ZEROG_URL"


@dataclass(frozen=True, slots=True)
class Target:
    """An API, and what is sent along."""

    url: str
    token: str | None = None
    token_file: str | None = None


def connect(options: argparse.Namespace, on_warning: OnWarning | None = None) -> Client:
    """Return a client for the API that the options, the environment or `zerog dev` name."""
    target = find(options)
    return Client(
        target.url, token=target.token, token_file=target.token_file, on_warning=on_warning
    )


def connect_async(options: argparse.Namespace) -> AsyncClient:
    """Return an asynchronous client for the same API."""
    target = find(options)
    return AsyncClient(target.url, token=target.token, token_file=target.token_file)


def find(options: argparse.Namespace) -> Target:
    """Return the API of a command, and warn about it once if necessary.

    Raises:
        ConfigError: None is named, or a note must not be trusted.
    """
    found: Target | None = getattr(options, "target", None)
    if found is None:
        found = options.target = _find(load(ClientSettings, environment(), url=options.url))
        _tell_if_away(found.url)
    return found


def find_quietly(options: argparse.Namespace) -> Target:
    """Return the API of a command that a shell completes: nothing is looked at but settings."""
    return _find(load(ClientSettings, environment(), url=getattr(options, "url", None)))


def _find(settings: ClientSettings) -> Target:
    if settings.url is None:
        return _noted(has_token=bool(settings.token or settings.token_file))
    read_address(settings.url)  # a wrong one is reported first
    if settings.token or settings.token_file:
        warn_in_the_clear(settings.url, lambda text: say(f"zerog: warning: {text}"))
    return Target(settings.url, settings.token, settings.token_file)


def _noted(*, has_token: bool) -> Target:
    try:
        note = read_note()
    except ConfigError as error:
        raise ConfigError(f"{error}: it is not used\n  remove it, or {_HOW}") from error
    if note is None:
        raise ConfigError(
            f"which API? No `zerog dev` runs in this folder: start one here, or {_HOW}"
        )
    if has_token:
        say(
            f"zerog: warning: no token is sent to {note.url}, which {_NOTE} names: "
            f"to send it, {_HOW}"
        )
    return Target(note.url)


def _tell_if_away(url: str) -> None:
    """Say at once that the API does not answer: the client keeps trying for a while."""
    address = urlsplit(url)
    if not address.hostname or not sys.stderr.isatty():
        return
    if proxy_settings() and not is_loopback(address.hostname):
        return  # it may not be reached but through the proxy
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname, port), timeout=2).close()
    except OSError as error:
        say(
            f"no answer from {url} yet ({error.strerror or error}): "
            f"trying for {RETRY_SECONDS:g} s, ^C stops"
        )
