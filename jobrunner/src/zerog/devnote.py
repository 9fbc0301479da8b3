"""The note that a running `zerog dev` leaves in its folder, by which commands find its API.

The folder may have come with a cloned repository. So a note is believed only if this user alone
can have written it (git does not keep the mode that it has), and only an address on loopback, over
http, counts. Commands send no token there (`zerog.cli.target`).
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from zerog.client.network import is_literal_loopback
from zerog.model.errors import ConfigError
from zerog.privatefile import read_own, write_private

#: Where it is, in the folder of all data.
NAME = "dev.json"
#: The folder of all data where nothing else is said.
FOLDER = Path(".zerog")
#: A note is not longer.
_MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class DevNote:
    """Where a `zerog dev` can be reached."""

    url: str
    pid: int
    queue: str


def store_of(folder: Path) -> str:
    """Return the URL of the datastore that a `zerog dev` with this folder has."""
    return f"sqlite:///{folder.resolve() / 'zerog.db'}"


def write_note(folder: Path, note: DevNote) -> None:
    """Leave the note."""
    write_private(folder / NAME, json.dumps(asdict(note)))


def remove_note(folder: Path) -> None:
    """Take the note away."""
    (folder / NAME).unlink(missing_ok=True)


def read_note(folder: Path = FOLDER) -> DevNote | None:
    """Return the note, None if there is none or whoever left it does not run any more.

    Raises:
        ConfigError: There is one that must not be believed.
    """
    try:
        note = DevNote(**json.loads(read_own(folder, NAME, _MAX_BYTES)))
        if type(note.pid) is not int or note.pid <= 0:  # 0 and -1 are groups of processes
            return None
        os.kill(note.pid, 0)
        address = httpx.URL(note.url)
    except (OSError, ValueError, TypeError, OverflowError, RecursionError, httpx.InvalidURL):
        return None
    if not is_literal_loopback(address.host):
        raise ConfigError(f"{folder / NAME} names {note.url}, which is not this machine")
    if address.scheme != "http" or address.userinfo:
        raise ConfigError(
            f"{folder / NAME} names {note.url}, which is not the address of a `zerog dev`: that "
            "begins with http:// and contains no user"
        )
    return note
