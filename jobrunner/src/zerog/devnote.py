"""The note that a running `zerog dev` leaves in its folder, by which commands find its API."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

#: Where it is, in the folder of all data.
NAME = "dev.json"
#: The folder of all data where nothing else is said.
FOLDER = Path(".zerog")


@dataclass(frozen=True, slots=True)
class DevNote:
    """Where a `zerog dev` can be reached."""

    url: str
    pid: int
    queue: str


def write_note(folder: Path, note: DevNote) -> None:
    """Leave the note."""
    (folder / NAME).write_text(json.dumps(asdict(note)), encoding="utf-8")


def remove_note(folder: Path) -> None:
    """Take the note away."""
    (folder / NAME).unlink(missing_ok=True)


def read_note(folder: Path = FOLDER) -> DevNote | None:
    """Return the note, None if there is none or whoever left it does not run any more."""
    try:
        note = DevNote(**json.loads((folder / NAME).read_text(encoding="utf-8")))
        os.kill(note.pid, 0)
    except (OSError, ValueError, TypeError, OverflowError):
        return None
    return note
