"""What keeps jobs from their supervisor: decided and described here, built by the nursery.

Three things do. The nursery gets an environment without ZeroG's settings, and the supervisor is not
dumpable, so no process of its own user can look into it (both in `zerog.child.secrecy`). And where
that takes nothing from jobs, there is Landlock's wall (`landlock`), which also holds for root, and
hides the folders in which the supervisor's secrets are.

A folder is hidden only if that can do no harm. Landlock allows what exists, so a file that is made
later next to a parent of the folder could not be opened: each parent must be on a file system that
is mounted read-only, as a container's root is. And nothing but secrets may be in the folder.
"""

import os
from collections.abc import Collection, Sequence

from msgspec import Struct

from zerog.child import landlock

#: Names in folders that hold secrets and nothing else: the versions of a volume of Kubernetes, and
#: what a file system has of its own.
_VERSION, _OF_FILE_SYSTEM = "..", "lost+found"
#: Stands for every name in a folder that is a secret as a whole.
_ALL = "/"


class Walls(Struct, frozen=True):
    """What jobs cannot do to the process that runs them, and what they still can."""

    #: Whether the nursery and its children are each behind a wall.
    stand: bool
    #: Why not, if they are not.
    missing: str = ""
    #: The folders that jobs cannot open.
    hidden: tuple[str, ...] = ()
    #: The secret files that they can open, and why.
    readable: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Return a line for the log."""
        others = [f"read {path}" + f" ({why})" * bool(why) for path, why in self.readable]
        if not self.stand:
            own = "read this process's memory and stop it" if _is_root() else "stop this process"
            return f"jobs can {own} ({self.missing})" + "".join(f", and {each}" for each in others)
        cannot = ["read this process's memory", *[f"read {path}" for path in self.hidden]]
        signals = [] if landlock.holds_signals() else ["stop this process (Linux before 6.12)"]
        can = "; they can " + ", and ".join([*signals, *others]) if signals or others else ""
        return f"jobs cannot {', nor '.join([*cannot, *([] if signals else ['stop it'])])}{can}"


def plan(secrets: Sequence[str]) -> Walls:
    """Decide what to build against jobs that look for files and folders with secrets."""
    if not landlock.is_known():
        missing = "Linux is older than 5.19, or has no Landlock"
    elif not landlock.is_free():
        missing = "it runs without no_new_privs"
    else:
        return _with_files(secrets)
    return Walls(False, missing, readable=tuple((path, "") for path in secrets))


def _with_files(secrets: Sequence[str]) -> Walls:
    places: dict[str, set[str]] = {}
    folders = {path: _folder(path) for path in secrets}
    for path, folder in folders.items():
        name = _ALL if folder == os.path.realpath(path) else os.path.basename(path)
        places.setdefault(folder, set()).add(name)
    reasons = {folder: _why_not(folder, names) for folder, names in places.items()}
    return Walls(
        True,
        hidden=tuple(sorted(folder for folder, why in reasons.items() if not why)),
        readable=tuple(
            (path, reasons[folder]) for path, folder in folders.items() if reasons[folder]
        ),
    )


def _folder(path: str) -> str:
    """Return the folder to hide: a folder itself, or that in which a file really is."""
    real = os.path.realpath(path)
    if os.path.isdir(real):
        return real
    folder = os.path.realpath(os.path.dirname(path) or ".")
    # A volume of Kubernetes has links to files below it.
    return folder if os.path.commonpath([folder, real]) == folder else os.path.dirname(real)


def _why_not(folder: str, names: Collection[str]) -> str:
    """Return why a folder cannot be hidden, nothing if it can be."""
    try:
        others = [entry for entry in os.listdir(folder) if not _is_of(entry, names)]
        if others and _ALL not in names:
            return f"{folder} has other files, too: {min(others)}"
        if os.path.commonpath([folder, os.getcwd()]) == folder:
            return f"{folder} has the working directory in it"
        parent = folder
        while parent != "/":
            parent = os.path.dirname(parent)
            if not os.statvfs(parent).f_flag & os.ST_RDONLY:
                return f"{parent} is not mounted read-only"
            os.listdir(parent)
    except OSError as error:
        return f"{error.filename or folder}: {error.strerror}"
    return "" if folder != "/" else "it is in the root folder"


def _is_of(entry: str, names: Collection[str]) -> bool:
    """Whether an entry of a folder is a secret, or goes with one, as SQLite's logs do."""
    return entry.startswith(_VERSION) or any(
        entry == name or entry.startswith(f"{name}-") for name in (*names, _OF_FILE_SYSTEM)
    )


def _is_root() -> bool:
    return os.geteuid() == 0
