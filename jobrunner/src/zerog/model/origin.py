"""Where a job comes from: the request that asked for it, and the trace that it is part of. Pure.

Both come from outside, in headers (`X-Request-Id`, and W3C's `traceparent`), and go into logs. What
has not their form is dropped: it is an aid, and no reason to refuse a job.
"""

import re
from typing import Annotated

from msgspec import Meta, Struct

MAX_REQUEST_ID_CHARS = 100
_REQUEST_ID = re.compile(rf"[A-Za-z0-9._:/+=@-]{{1,{MAX_REQUEST_ID_CHARS}}}")
#: Version, trace, span, flags. Later versions may have more behind it.
_TRACE_PARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
TRACE_PARENT_CHARS = 55

RequestId = Annotated[str, Meta(max_length=MAX_REQUEST_ID_CHARS)]
TraceParent = Annotated[str, Meta(min_length=TRACE_PARENT_CHARS, max_length=TRACE_PARENT_CHARS)]


class Origin(Struct, frozen=True):
    """What a job's request said of itself."""

    request_id: RequestId | None = None
    #: The span in which the job was asked for, as in W3C's `traceparent`.
    trace_parent: TraceParent | None = None
    #: The job is one of many: it has a trace of its own, which is linked to that span.
    own_trace: bool | None = None


NOWHERE = Origin()


def read_request_id(text: str | None) -> str | None:
    """Return a request's id, None if it is not one."""
    return text if text is not None and _REQUEST_ID.fullmatch(text) else None


def read_trace_parent(text: str | None) -> str | None:
    """Return a `traceparent` of version 00, None if it is not one."""
    found = None if text is None else _TRACE_PARENT.fullmatch(text.strip())
    if found is None or (found[4] and found[0].startswith("00")):
        return None
    return f"00-{found[1]}-{found[2]}-{found[3]}"


def trace_id_of(trace_parent: str | None) -> str | None:
    """Return the id of the trace of a `traceparent` that was read, None without one."""
    return None if trace_parent is None else trace_parent[3:35]
