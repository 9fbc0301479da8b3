"""How a run of a job ended, as its process says. Pure; nothing of it is trusted to be
well-formed."""

from dataclasses import dataclass
from typing import Any, Literal, cast

Kind = Literal[
    "returned", "continue", "retry", "finish", "raised", "invalid", "cancelled", "timedout"
]
KINDS = frozenset(
    ["returned", "continue", "retry", "finish", "raised", "invalid", "cancelled", "timedout"]
)
MAX_MESSAGE_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run."""

    kind: Kind
    data: Any = None
    code: int = 200
    message: str = ""
    delay_seconds: float | None = None
    state: dict[str, Any] | None = None
    #: The process is not as clean as it was: threads or processes were left over.
    recycle: bool = False
    rss_bytes: int = 0

    @classmethod
    def from_frame(cls, frame: dict[str, Any]) -> "Outcome":
        """Read an outcome frame; what does not fit is replaced by what does no harm."""
        kind = frame.get("kind")
        delay = frame.get("delaySeconds")
        code, rss, state = frame.get("code"), frame.get("rssBytes"), frame.get("state")
        return cls(
            kind=cast(Kind, kind) if kind in KINDS else "raised",
            data=frame.get("data"),
            code=code if isinstance(code, int) else 200,
            message=str(frame.get("message") or "")[:MAX_MESSAGE_CHARS],
            delay_seconds=max(0.0, float(delay)) if isinstance(delay, int | float) else None,
            state=state if isinstance(state, dict) and state else None,
            recycle=frame.get("recycle") is True,
            rss_bytes=rss if isinstance(rss, int) else 0,
        )
