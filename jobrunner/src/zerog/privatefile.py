"""Files that hold a secret, or what only their owner should read or change.

A secret that others may read is refused with the command that mends it. Kubernetes mounts Secrets
with modes that let others read, as root's files and behind symbolic links; they lie on a read-only
mount inside the container, where no mode can be changed and nobody else is. So a file on such a
mount is accepted. One of another owner, e.g. root's with the mode 0640 for the service's group, is
for that owner to give: it is refused only where everybody may read it.
"""

import os
import stat
from pathlib import Path

from zerog.model.errors import ConfigError

#: Of a file and of a folder that ZeroG makes for its user.
FILE_MODE, FOLDER_MODE = 0o600, 0o700
_GROUP_OR_OTHERS, _OTHERS = 0o077, 0o007


def read_secret(path: str | Path) -> bytes:
    """Read a file that holds a secret. `ConfigError` if others may read it; `OSError`."""
    with open(path, "rb") as file:
        state = os.fstat(file.fileno())
        read_only = bool(os.fstatvfs(file.fileno()).f_flag & os.ST_RDONLY)
        if stat.S_ISREG(state.st_mode) and is_exposed(
            state.st_mode, is_mine=state.st_uid == os.geteuid(), is_mounted_read_only=read_only
        ):
            raise ConfigError(
                f"others may read the secret in {path} (mode {stat.S_IMODE(state.st_mode):04o}): "
                f"`chmod 600 {path}`"
            )
        return file.read()


def is_exposed(mode: int, *, is_mine: bool, is_mounted_read_only: bool) -> bool:
    """Whether a secret in a file of this mode is open to others than it is meant for."""
    return not is_mounted_read_only and bool(mode & (_GROUP_OR_OTHERS if is_mine else _OTHERS))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in the place of any that is there."""
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with open(file, "w", encoding="utf-8") as stream:
        stream.write(text)


def make_folder(path: Path) -> None:
    """Make a folder that only its owner may enter. One that is there stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=FOLDER_MODE, exist_ok=True)


def check_no_links(folder: Path) -> None:
    """Refuse a folder that is or holds a symbolic link, which may lead anywhere. `ConfigError`."""
    names = (Path(at) / name for at, folders, files in os.walk(folder) for name in folders + files)
    for path in (folder, *names):
        if path.is_symlink():
            raise ConfigError(f"{path} is a symbolic link")


def read_own(folder: Path, name: str, max_bytes: int) -> bytes:
    """Read a file that nobody but this user can have put there.

    Raises:
        ConfigError: Folder or file is another user's, a symbolic link, or open to others.
        OSError: It cannot be read.
    """
    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        if folder.is_symlink():
            raise ConfigError(f"{folder} is a symbolic link") from None
        raise
    try:
        _check_own(os.fstat(place), folder, stat.S_IWGRP | stat.S_IWOTH)
        path = folder / name
        if stat.S_ISLNK(os.stat(name, dir_fd=place, follow_symlinks=False).st_mode):
            raise ConfigError(f"{path} is a symbolic link")
        # A pipe of that name would hold whoever opens it.
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
        with open(file, "rb") as stream:
            _check_own(os.fstat(file), path, _GROUP_OR_OTHERS)
            return stream.read(max_bytes)
    finally:
        os.close(place)


def _check_own(state: os.stat_result, path: Path, forbidden: int) -> None:
    if state.st_uid != os.geteuid():
        raise ConfigError(f"{path} belongs to another user (uid {state.st_uid})")
    if state.st_mode & forbidden:
        mode = stat.S_IMODE(state.st_mode)
        raise ConfigError(f"{path} is open to others (mode {mode:04o})")
