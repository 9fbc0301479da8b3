"""What a call is, as a handler's method declares it. The specification is made of nothing else.

An operation names models and no handler: it can be read without making the parts that a handler
needs.
"""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from zerog_api.auth.access import Verb

#: What is of `pages` is for browsers, and is not in the specification.
Tag = Literal["jobs", "types", "overview", "system", "pages"]
#: A named segment of a path.
SEGMENT = re.compile(r"\{([^}]+)\}")
JSON, EVENTS = "application/json", "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is described of one method of one path."""

    #: Names the call in generated clients: unique, a verb first, camelCase.
    id: str
    tag: Tag
    summary: str
    #: What the caller must be allowed to do. None: anybody may call it.
    verb: Verb | None
    #: The body of success. None: it has no body, or one that is not JSON (`media`).
    answer: type[BaseModel] | None = None
    status: int = 200
    media: str = JSON
    body: type[BaseModel] | None = None
    #: The body is the parameters of a job; the path names its type.
    parameters: bool = False
    query: type[BaseModel] | None = None
    #: Statuses of problems besides those that every call of its kind may answer with.
    problems: tuple[int, ...] = ()
    #: Whether the call can be repeated safely with an `Idempotency-Key`.
    idempotency_key: bool = False

    @property
    def takes_body(self) -> bool:
        """Whether what is sent with the call means something."""
        return self.parameters or self.body is not None


@dataclass(frozen=True, slots=True)
class Call:
    """An operation where it is called. Segments of the path in braces are its arguments."""

    method: str
    path: str
    operation: Operation
