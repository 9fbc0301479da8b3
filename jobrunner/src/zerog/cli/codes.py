"""The exit codes of the `zerog` command."""

from zerog.errors import ZeroGError

OK = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 3
UNFINISHED = 4
CANCELLED = 5
#: As shells report a command ended by ^C.
INTERRUPTED = 130


def of_progress(state: str) -> int:
    """Return the code for a job's state."""
    return {"succeeded": OK, "failed": FAILED, "cancelled": CANCELLED}.get(state, UNFINISHED)


def of_error(error: ZeroGError) -> int:
    """Return the code for an error."""
    from zerog.client import UnreachableError, WaitTimeoutError

    if isinstance(error, UnreachableError):
        return UNREACHABLE
    return UNFINISHED if isinstance(error, WaitTimeoutError) else FAILED
