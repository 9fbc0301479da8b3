"""The lines that a part of `zerog dev` writes, however long they are and however they arrive."""

from dataclasses import dataclass, field

#: What is shown of one line: a log for people has no longer ones.
SHOWN_BYTES = 16 * 1024


@dataclass(slots=True)
class Lines:
    """Puts lines together from chunks, and keeps no more of a line than what is shown of it."""

    _begun: bytearray = field(default_factory=bytearray)
    #: Bytes of the line that has begun, with those that are not kept.
    _size: int = 0

    def feed(self, chunk: bytes) -> list[str]:
        """Take in a chunk, return the lines that it completes."""
        *ends, begun = chunk.split(b"\n")
        lines = []
        for end in ends:
            self._add(end)
            lines.append(self._end())
        self._add(begun)
        return lines

    def rest(self) -> list[str]:
        """Return the line that has no end, if one has begun."""
        return [self._end()] if self._size else []

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        self._begun += part[: SHOWN_BYTES - len(self._begun)]

    def _end(self) -> str:
        cut = self._size - len(self._begun)
        text = self._begun.decode("utf-8", "replace").rstrip()
        self._begun.clear()
        self._size = 0
        return f"{text}… ({cut:,} more bytes of this line are not shown)" if cut else text
