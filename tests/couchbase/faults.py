"""What shall go wrong, and how often: an ordered list of faults that requests are held against.

A fault says which requests it meets (`Match`), what becomes of them (`action`) and whether the
request is carried out all the same (`applied`): an answer lost before the write and one lost
after it look alike to the client and are two faults here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, get_args

Action = Literal["status", "silence", "close", "delay"]
#: The name that queries go by, beside those of the opcodes.
QUERY = "QUERY"


class FaultError(ValueError):
    """This is not a fault."""


@dataclass(slots=True)
class Fault:
    """One fault."""

    #: `status`: answer with `status`. `silence`: never answer. `close`: close the connection.
    #: `delay`: wait `seconds`; before handling, or with `applied` between handling and answer.
    action: Action
    #: Whether the request is carried out although it seems to fail.
    applied: bool = False
    #: For the data service one of its statuses, for queries a code of SQL++.
    status: int = 0
    seconds: float = 0.0
    #: How many requests it meets; None: all from now on.
    count: int | None = 1
    #: How many that fit it lets pass first.
    skip: int = 0
    #: Which requests: the name of an opcode or QUERY, a collection's name, the start of a key.
    #: None meets any request that names a document, and every query.
    opcode: str | None = None
    collection: str | None = None
    key_prefix: str | None = None
    #: How many requests it has met.
    met: int = 0

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise FaultError(f"action must be one of {', '.join(get_args(Action))}")
        if self.action == "status" and self.status == 0:
            raise FaultError("action `status` needs a status")
        if self.action == "delay" and self.seconds <= 0:
            raise FaultError("action `delay` needs seconds")

    def fits(self, opcode: str, collection: str, key: str) -> bool:
        """Return whether such a request is meant."""
        return (
            self.opcode in (None, opcode)
            and self.collection in (None, collection)
            and key.startswith(self.key_prefix or "")
        )


def parse_fault(given: Mapping[str, object]) -> Fault:
    """Return the fault that JSON describes.

    Raises:
        FaultError: A name is not known or a value is of the wrong type.
    """
    names = {field.name for field in fields(Fault)} - {"met"}
    if unknown := set(given) - names:
        raise FaultError(f"unknown: {', '.join(sorted(unknown))}")
    try:
        return Fault(**given)  # type: ignore[arg-type]  # checked by the fault itself
    except TypeError as error:
        raise FaultError(str(error)) from error


class Faults:
    """The faults that are set; the first that fits meets the request."""

    def __init__(self) -> None:
        self.active: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Set one more fault."""
        self.active.append(fault)

    def clear(self) -> None:
        """Let everything go right again."""
        self.active.clear()

    def meet(self, opcode: str, collection: str = "", key: str = "") -> Fault | None:
        """Return the fault that meets this request, and count it."""
        for fault in self.active:
            if not fault.fits(opcode, collection, key) or fault.count == 0:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.count is not None:
                fault.count -= 1
            fault.met += 1
            return fault
        return None
