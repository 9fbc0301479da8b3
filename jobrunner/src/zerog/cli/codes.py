"""The exit codes of the `zerog` command, and which one a job's state becomes."""

from typing import NamedTuple

from zerog.model.errors import ZeroGError

OK = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 3
NOT_FINISHED = 4
CANCELLED = 5
EXPIRED = 6
#: As shells report a command ended by ^C.
INTERRUPTED = 130
#: As shells report one ended by SIGTERM.
TERMINATED = 143


class ScriptOutcome(NamedTuple):
    """What a command that was asked for a job gives back to a script."""

    command: str
    #: The job's state in a word or two; of those that are not finished any.
    job: str
    code: int
    #: What is on standard output, without --json.
    prints: str
    #: … and with it.
    prints_json: str
    #: What is said on standard error, besides progress and log.
    says: str = ""


_WHY = "result code, message, what to do next"
_DATA = "its data, if it has any"
_WITH_DATA = "its progress, and `data`"
#: `docs/reference/cli.md` shows this table, and the tests hold the commands to it.
OUTCOMES = (
    ScriptOutcome("zerog run", "succeeded", OK, _DATA, _WITH_DATA),
    ScriptOutcome("zerog run", "failed", FAILED, _DATA, _WITH_DATA, _WHY),
    ScriptOutcome("zerog run", "cancelled", CANCELLED, "", _WITH_DATA),
    ScriptOutcome("zerog run", "expired", EXPIRED, "", _WITH_DATA, _WHY),
    ScriptOutcome(
        "zerog run --for", "not finished", NOT_FINISHED, "", "", "how to follow it again"
    ),
    ScriptOutcome("zerog watch", "succeeded", OK, "", "its progress"),
    ScriptOutcome("zerog watch", "failed", FAILED, "", "its progress", _WHY),
    ScriptOutcome("zerog watch", "cancelled", CANCELLED, "", "its progress"),
    ScriptOutcome("zerog watch", "expired", EXPIRED, "", "its progress", _WHY),
    ScriptOutcome(
        "zerog watch --for", "not finished", NOT_FINISHED, "", "", "how to follow it again"
    ),
    ScriptOutcome("zerog data", "succeeded", OK, "its data; `null` if it has none", "the same"),
    ScriptOutcome("zerog data", "failed", FAILED, _DATA, "its data; `null` if it has none", _WHY),
    ScriptOutcome(
        "zerog data", "cancelled", CANCELLED, _DATA, "its data; `null` if it has none", _WHY
    ),
    ScriptOutcome("zerog data", "expired", EXPIRED, _DATA, "its data; `null` if it has none", _WHY),
    ScriptOutcome(
        "zerog data", "not finished", NOT_FINISHED, "", "", "its state, how to follow it"
    ),
    ScriptOutcome("zerog info", "in any state", OK, "everything about it", "the same"),
)

#: What to do next, by the code of the API's problem.
HINTS = {
    "unknown-type": "run `zerog types`; a type is listed once a worker with it has started",
    "unknown-job": "`zerog list` shows the stored jobs",
    "unknown-queue": "`zerog queues` shows the queues",
    "unknown-worker": "`zerog workers` shows the live workers",
    "job-state": "`zerog info UUID` shows its state, `zerog watch UUID` follows it to its end",
    "invalid-request": "`zerog types` shows the parameters of each type, `--help` the options",
    "unauthorized": "set ZEROG_TOKEN_FILE to the path of a token, or ZEROG_TOKEN to one",
    "forbidden": "ask for that right, or use another token (ZEROG_TOKEN_FILE)",
    "too-large": "store large input elsewhere, and pass its address",
}


def of_progress(state: str) -> int:
    """Return the code for a job's state."""
    return {
        "succeeded": OK, "failed": FAILED, "cancelled": CANCELLED, "expired": EXPIRED
    }.get(state, NOT_FINISHED)  # fmt: skip


def hint_of(error: ZeroGError) -> str | None:
    """Return what to do about an error of the API, None where its message says it."""
    return HINTS.get(getattr(error, "code", ""))


def of_error(error: ZeroGError) -> int:
    """Return the code for an error."""
    from zerog.client import UnreachableError, WaitTimeoutError

    if isinstance(error, UnreachableError):
        return UNREACHABLE
    return NOT_FINISHED if isinstance(error, WaitTimeoutError) else FAILED
