"""The exit codes of the `zerog` command."""

from zerog.model.errors import ZeroGError

OK = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 3
NOT_FINISHED = 4
CANCELLED = 5
#: As shells report a command ended by ^C.
INTERRUPTED = 130
#: As shells report one ended by SIGTERM.
TERMINATED = 143

#: What to do next, by the code of the API's problem.
HINTS = {
    "unknown-type": "here that is `zerog types`; a type is known once a worker with it has started",
    "unknown-job": "`zerog list` shows the jobs that are kept",
    "job-state": "`zerog info UUID` tells its state, `zerog watch UUID` follows it to its end",
    "invalid-request": "`zerog types` shows the parameters of each type, `--help` the options",
    "unauthorized": "set ZEROG_TOKEN_FILE to the path of a token, or ZEROG_TOKEN to one",
    "forbidden": "ask for that right, or use another token (ZEROG_TOKEN_FILE)",
    "too-large": "keep large input elsewhere, and pass its address",
}


def of_progress(state: str) -> int:
    """Return the code for a job's state."""
    return {"succeeded": OK, "failed": FAILED, "cancelled": CANCELLED}.get(state, NOT_FINISHED)


def hint_of(error: ZeroGError) -> str | None:
    """Return what to do about an error of the API, None where its message says it."""
    return HINTS.get(getattr(error, "code", ""))


def of_error(error: ZeroGError) -> int:
    """Return the code for an error."""
    from zerog.client import UnreachableError, WaitTimeoutError

    if isinstance(error, UnreachableError):
        return UNREACHABLE
    return NOT_FINISHED if isinstance(error, WaitTimeoutError) else FAILED
