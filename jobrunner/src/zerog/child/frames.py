"""How worker, nursery and children talk: frames of a length (4 bytes, big-endian) and a
JSON object. Pure.

A child runs other people's code, so its bytes are not trusted: lengths are bounded, and
what is no object is refused.
"""

import struct
from typing import Any

from zerog.model import jsontext
from zerog.model.errors import ZeroGError

#: Larger than any document: an output above the document's limit still arrives, and is refused
#: with reason.
MAX_FRAME_BYTES = 32 * 1024 * 1024
_LENGTH = struct.Struct(">I")


class FrameError(ZeroGError):
    """The other side of the pipe does not speak in frames."""


def encode(frame: dict[str, Any]) -> bytes:
    """Encode a frame. `ValueError` if it has no JSON form or is too large."""
    body = jsontext.dumps(frame)
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"{len(body)} bytes are more than the {MAX_FRAME_BYTES} of a frame")
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Cuts a stream of bytes into frames, however the bytes arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take in bytes, return the frames that are complete. `FrameError` if they are none."""
        self._buffer += data
        frames = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            if length > MAX_FRAME_BYTES:
                raise FrameError(f"a frame of {length} bytes")
            end = start + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            frames.append(_parse(bytes(self._buffer[start + _LENGTH.size : end])))
            start = end
        del self._buffer[:start]
        return frames


def _parse(body: bytes) -> dict[str, Any]:
    try:
        frame = jsontext.loads(body)
    except ValueError as error:
        raise FrameError(f"a frame that is no JSON: {error}") from error
    if not isinstance(frame, dict):
        raise FrameError("a frame that is no object")
    return frame
