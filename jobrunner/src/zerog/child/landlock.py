"""A wall around a process and all that it starts, by Linux's Landlock. It needs no privilege.

Behind the wall a process cannot get at one outside of it (`/proc/PID/mem`, `root`, what `fd` leads
to, ptrace), even as root; since Linux 6.12 it cannot send it a signal either. The environment
(`/proc/PID/environ`) is kept from a plain user, not from root: so `secrecy` wipes it. Walls nest:
the nursery has one, and each of its children another, so jobs cannot look at each other.

Landlock knows no "all but this": it allows the folders that are named, and what is below them. So a
folder is hidden by naming everything else that there is next to it and to its parents.
`zerog.child.walls` decides when that is right.

Rejected: a second user, for which containers without capabilities have no right, and whose files
jobs could no longer share; and a user namespace, which the default seccomp profile forbids.
Abstract sockets are not walled off: ZeroG has none, and X11 has.
"""

import contextlib
import ctypes
import errno
import os
from collections.abc import Collection, Iterator
from pathlib import Path

_PR_SET_NO_NEW_PRIVS, _PR_GET_NO_NEW_PRIVS = 38, 39
#: System calls, the same numbers on every architecture that Python is built for.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
#: The kernel's versions of Landlock: before the first one, no file could be moved to another
#: folder behind a wall; since the second one, there are rights to truncate and to signal.
_MIN_VERSION, _WITH_TRUNCATE, _WITH_SIGNALS = 2, 3, 6
#: Rights over a file, and all rights but those to execute and to list, which hide nothing.
_WRITE_FILE, _READ_FILE, _TRUNCATE = 1 << 1, 1 << 2, 1 << 14
_OF_FILES = _WRITE_FILE | _READ_FILE | _TRUNCATE
_REMOVE_AND_MAKE, _MAKE_BLOCK, _REFER = 0x1FF0, 1 << 11, 1 << 13
_SCOPE_SIGNAL = 1 << 1
_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def version() -> int:
    """Return the kernel's version of Landlock, 0 if it has none."""
    with contextlib.suppress(OSError):
        return _call(_CREATE_RULESET, None, 0, _VERSION)
    return 0


def is_known() -> bool:
    """Whether this kernel can build the wall."""
    return version() >= _MIN_VERSION


def holds_signals() -> bool:
    """Whether signals do not get through the wall."""
    return version() >= _WITH_SIGNALS


def is_free() -> bool:
    """Whether the wall takes nothing from a job besides what it is for.

    Behind it no program gains rights (`sudo`). Here none does anyway, or all are there already.
    """
    return bool(_libc.prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) or os.geteuid() == 0


def enter(hidden: Collection[str] = (), *, around: Collection[str] = ()) -> None:
    """Put this process behind a wall, for good, and hide folders (by their real paths) from it.

    `around` are the folders that the wall around this one hides. The process must have one thread.
    `OSError` if the kernel refuses.
    """
    known = version()
    scoped = _SCOPE_SIGNAL if known >= _WITH_SIGNALS else 0
    handled = 0
    if hidden:
        handled = _READ_FILE | _WRITE_FILE | _REMOVE_AND_MAKE | _REFER
        handled |= _TRUNCATE if known >= _WITH_TRUNCATE else 0
    elif around or not scoped:
        # A ruleset must be about something; and behind walls that are about files, each has to
        # say that files may be moved to other folders.
        handled = _MAKE_BLOCK | _REFER
    attributes = _Ruleset(handled, 0, scoped)
    # Older kernels refuse a longer structure, even if the rest of it is zero bytes.
    size = ctypes.sizeof(_Ruleset) if scoped else ctypes.sizeof(ctypes.c_uint64)
    ruleset = _call(_CREATE_RULESET, ctypes.byref(attributes), size, 0)
    try:
        for path in allowed("/", hidden) if handled else ():
            _allow(ruleset, path, handled)
        _restrict(ruleset)
    finally:
        os.close(ruleset)


def allowed(folder: str, hidden: Collection[str]) -> Iterator[str]:
    """Yield what to allow so that everything below a folder is, but the hidden folders."""
    if not hidden:
        yield folder
        return
    for entry in os.scandir(folder):
        inside = [path for path in hidden if Path(path).is_relative_to(entry.path)]
        if inside and entry.path not in inside:
            yield from allowed(entry.path, inside)
        elif not inside and not entry.is_symlink():  # a link's target is allowed where it is
            yield entry.path


def _allow(ruleset: int, path: str, rights: int) -> None:
    # What is gone by now needs no right.
    with contextlib.suppress(FileNotFoundError):
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            rule = _Beneath(rights if os.path.isdir(path) else rights & _OF_FILES, fd)
            _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(fd)


def _restrict(ruleset: int) -> None:
    try:
        _call(_RESTRICT_SELF, ruleset, 0)
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
        # Where this is not set already, a right of root's would do as well (`is_free`).
        _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _call(_RESTRICT_SELF, ruleset, 0)


def _call(number: int, *arguments: object) -> int:
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result: int = _libc.syscall(ctypes.c_long(number), *words)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
