"""Requests taken from bytes and responses made into bytes; nothing here knows what they mean.

A response that is malformed makes the SDK's C++ core end its process, so all of them are
made by `encode`.
"""

import struct
from dataclasses import dataclass

HEADER = struct.Struct(">BBHBBHIIQ")
_REQUEST = 0x80
_REQUEST_WITH_FRAMES = 0x08
_RESPONSE = 0x81
#: Twice the largest document: nobody sends more, and the server must not hoard garbage.
MAX_BODY_BYTES = 42 * 1024 * 1024
_LONG = 0x0F


class FrameError(Exception):
    """The bytes are not a request of this protocol."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came."""

    opcode: int
    key: bytes = b""
    extras: bytes = b""
    value: bytes = b""
    vbucket: int = 0
    opaque: int = 0
    cas: int = 0
    datatype: int = 0
    #: Framing extras: their id and their content, in order.
    frames: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Response:
    """What to answer; opcode and opaque are those of the request."""

    status: int = 0
    value: bytes = b""
    extras: bytes = b""
    key: bytes = b""
    cas: int = 0
    datatype: int = 0


def take_request(buffer: bytearray) -> Request | None:
    """Remove the first request from the buffer and return it; None when it is not whole.

    Raises:
        FrameError: What is in the buffer cannot become a request.
    """
    if len(buffer) < HEADER.size:
        return None
    magic, opcode, key_field, extras_size, datatype, vbucket, body_size, opaque, cas = (
        HEADER.unpack_from(buffer)
    )
    if magic not in (_REQUEST, _REQUEST_WITH_FRAMES):
        raise FrameError(f"magic {magic:#04x} is not that of a request")
    frames_size, key_size = (
        divmod(key_field, 256)
        if magic == _REQUEST_WITH_FRAMES
        else (
            0,
            key_field,
        )
    )
    if body_size > MAX_BODY_BYTES or frames_size + extras_size + key_size > body_size:
        raise FrameError(f"a body of {body_size} bytes does not fit its parts")
    end = HEADER.size + body_size
    if len(buffer) < end:
        return None
    body = bytes(buffer[HEADER.size : end])
    del buffer[:end]
    key_at = frames_size + extras_size
    return Request(
        opcode=opcode,
        key=body[key_at : key_at + key_size],
        extras=body[frames_size:key_at],
        value=body[key_at + key_size :],
        vbucket=vbucket,
        opaque=opaque,
        cas=cas,
        datatype=datatype,
        frames=_parse_frames(body[:frames_size]),
    )


def _parse_frames(data: bytes) -> tuple[tuple[int, bytes], ...]:
    found, at = [], 0
    while at < len(data):
        number, size = divmod(data[at], 16)
        at += 1
        if _LONG in (number, size):
            raise FrameError("framing extras with long ids or sizes are not spoken here")
        if at + size > len(data):
            raise FrameError("framing extras are cut short")
        found.append((number, data[at : at + size]))
        at += size
    return tuple(found)


def encode(request: Request, response: Response) -> bytes:
    """Return the bytes that answer a request."""
    body = response.extras + response.key + response.value
    header = HEADER.pack(
        _RESPONSE,
        request.opcode,
        len(response.key),
        len(response.extras),
        response.datatype,
        response.status,
        len(body),
        request.opaque,
        response.cas,
    )
    return header + body


def encode_request(request: Request) -> bytes:
    """Return the bytes of a request: the inverse of `take_request`, for tests."""
    frames = b"".join(bytes([number << 4 | len(data)]) + data for number, data in request.frames)
    body = frames + request.extras + request.key + request.value
    header = HEADER.pack(
        _REQUEST_WITH_FRAMES if frames else _REQUEST,
        request.opcode,
        len(frames) << 8 | len(request.key) if frames else len(request.key),
        len(request.extras),
        request.datatype,
        request.vbucket,
        len(body),
        request.opaque,
        request.cas,
    )
    return header + body


def split_collection(key: bytes) -> tuple[int, bytes]:
    """Split a key into the id of its collection (unsigned LEB128) and the rest.

    Raises:
        FrameError: The id does not end within five bytes.
    """
    number = 0
    for at, byte in enumerate(key[:5]):
        number |= (byte & 0x7F) << 7 * at
        if byte < 0x80:
            return number, key[at + 1 :]
    raise FrameError("the key does not start with the id of a collection")


def join_collection(collection: int, key: bytes) -> bytes:
    """Return the key as it is sent: the inverse of `split_collection`."""
    prefix = bytearray()
    while True:
        collection, low = divmod(collection, 0x80)
        prefix.append(low | (0x80 if collection else 0))
        if not collection:
            return bytes(prefix) + key
