"""A disk that forgets what was not synced: a folder, and a journal of all that was done to it.

Processes with the environment of `Disk.env` write their journal by `forget.c`. `Disk.cut` makes
the folder as it may be after a power failure: each file has what was synced, plus a part of what
was written later, page by page; a file has its name if its folder was synced after that.
"""

import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MAGIC = struct.pack("<Q", 0x7A65726F67666F72)
HEAD = struct.Struct("<QQQQQ")
PAGE_BYTES = 4096
#: SQLite makes it again; it is a map, which the journal does not show.
NOT_ON_DISK = "-shm"


@dataclass
class Held:
    """A file: what the disk has for sure, and what it may have in addition."""

    content: bytearray
    #: Offset and data of writes; no data: a new length.
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        """All that was done is on the disk."""
        for offset, data in self.pending:
            self._apply(offset, data)
        self.pending.clear()

    def forget(self, dice: random.Random, share: float) -> None:
        """Of what is pending this share of the pages is on the disk, the rest is not."""
        for offset, data in self.pending:
            if data is None:
                if dice.random() < share:
                    self._apply(offset, None)
                continue
            for start in range(0, len(data), PAGE_BYTES):
                if dice.random() < share:
                    self._apply(offset + start, data[start : start + PAGE_BYTES])
        self.pending.clear()

    def _apply(self, offset: int, data: bytes | None) -> None:
        end = offset if data is None else offset + len(data)
        if len(self.content) < end:
            self.content.extend(bytes(end - len(self.content)))
        if data is None:
            del self.content[offset:]
        else:
            self.content[offset:end] = data


class Disk:
    """A folder whose power can be cut."""

    def __init__(self, folder: Path, library: Path, journal: Path) -> None:
        self.folder, self._library, self._journal = folder, library, journal
        self.forgotten = 0
        self._remember()

    @property
    def env(self) -> dict[str, str]:
        """What processes need in their environment to write on this disk."""
        return {
            "LD_PRELOAD": str(self._library),
            "FORGET_FOLDER": str(self.folder),
            "FORGET_JOURNAL": str(self._journal),
        }

    def _remember(self) -> None:
        """What is here now is on the disk."""
        self._journal.unlink(missing_ok=True)
        self._names: dict[str, Held] = {}
        self._by_inode: dict[int, Held] = {}
        self._folders = {self.folder.stat().st_ino: "."}
        for path in self.folder.rglob("*"):
            name = str(path.relative_to(self.folder))
            if path.is_dir():
                self._folders[path.stat().st_ino] = name
            else:
                held = Held(bytearray(path.read_bytes()))
                self._names[name] = self._by_inode[path.stat().st_ino] = held

    def cut(self, dice: random.Random, share: float) -> None:
        """Cut the power, when every process is dead. `share` of what was not synced survives."""
        renamings = self._play()
        # The names of files are written in their order, if at all.
        for name, held in renamings[: int(len(renamings) * share * dice.random())]:
            _name(self._names, name, held)
        for held in {id(item): item for item in self._names.values()}.values():
            self.forgotten += sum(len(data or b"") for _, data in held.pending)
            held.forget(dice, share)
        for path in [path for path in self.folder.rglob("*") if path.is_file()]:
            path.unlink()
        for name, held in self._names.items():
            if not name.endswith(NOT_ON_DISK):
                (self.folder / name).write_bytes(held.content)
        self._remember()

    def _play(self) -> list[tuple[str, Held | None]]:
        """Do what the journal says. Return the changes of names that were not synced."""
        live, pending = dict(self._names), list[tuple[str, Held | None]]()
        for what, inode, offset, data in self._records():
            if what == "c":
                held = live[data.decode()] = self._by_inode[inode] = Held(bytearray())
                pending.append((data.decode(), held))
            elif what == "u":
                live.pop(data.decode(), None)
                pending.append((data.decode(), None))
            elif what == "r":
                source, target = data.decode().split("\0")
                moved = live[target] = live.pop(source)
                pending += [(target, moved), (source, None)]
            elif what == "d":
                where = self._folders[inode]
                for name, there in pending:
                    if (os.path.dirname(name) or ".") == where:
                        _name(self._names, name, there)
                pending = [item for item in pending if (os.path.dirname(item[0]) or ".") != where]
            elif what == "s":
                self._by_inode[inode].sync()
            else:
                change = (offset, data if what == "w" else None)
                self._by_inode[inode].pending.append(change)
        return pending

    def _records(self) -> Iterator[tuple[str, int, int, bytes]]:
        data = self._journal.read_bytes() if self._journal.exists() else b""
        at = 0
        while at + HEAD.size <= len(data):
            _, what, inode, offset, length = HEAD.unpack_from(data, at)
            end = at + HEAD.size + length
            if (end < len(data) and not data.startswith(MAGIC, end)) or end > len(data):
                # A process was killed while it wrote this one: it never learnt of its success.
                at = data.find(MAGIC, at + 1)
                if at < 0:
                    return
                continue
            yield chr(what), inode, offset, data[at + HEAD.size : end]
            at = end


def _name(names: dict[str, Held], name: str, held: Held | None) -> None:
    if held is None:
        names.pop(name, None)
    else:
        names[name] = held
