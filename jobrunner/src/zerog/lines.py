"""Lines that another program writes, however long they are and however they arrive."""

from dataclasses import dataclass, field

from zerog.model.limits import MAX_LINE_CHARS

#: What is kept of one line: a log for people has no longer ones.
SHOWN_BYTES = 16 * 1024


@dataclass(slots=True)
class Lines:
    """Puts lines together from chunks, and keeps no more of a line than what is shown of it."""

    most_bytes: int = SHOWN_BYTES
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
        self._begun += part[: self.most_bytes - len(self._begun)]

    def _end(self) -> str:
        cut = self._size - len(self._begun)
        text = self._begun.decode("utf-8", "replace").rstrip()
        self._begun.clear()
        self._size = 0
        return f"{text}… ({cut:,} more bytes of this line are not shown)" if cut else text


@dataclass(slots=True)
class PrintedLines(Lines):
    """Lines of a job's log. Of a progress bar, which overwrites itself, the last state is kept."""

    most_bytes: int = MAX_LINE_CHARS - 100  # the note on what is cut follows
    #: Whether what follows overwrites the line.
    _at_margin: bool = False

    def _add(self, part: bytes) -> None:
        body = part.rstrip(b"\r")
        if self._at_margin and body:
            self._begin_anew()
        self._at_margin |= len(body) < len(part)
        if b"\r" in body:
            self._begin_anew()
            body = body[body.rindex(b"\r") + 1 :]
        Lines._add(self, body)

    def _begin_anew(self) -> None:
        self._begun.clear()
        self._size, self._at_margin = 0, False

    def _end(self) -> str:
        self._at_margin = False
        return Lines._end(self)
