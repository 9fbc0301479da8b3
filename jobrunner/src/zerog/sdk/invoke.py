"""Call a job's `run` and say in a frame how it ended. Nothing that a job raises passes through."""

import asyncio
import inspect
import traceback
from typing import Any

from zerog.model import jsontext
from zerog.sdk.context import Context, checked_state
from zerog.sdk.job import Job
from zerog.sdk.signals import Cancelled, Continue, Finish, Result, Retry, TimedOut
from zerog.store.port import MAX_DOCUMENT_BYTES

#: The output's document has some bytes around the data.
MAX_DATA_BYTES = MAX_DOCUMENT_BYTES - 1024
#: Frames of a job's own code in the traceback that goes into its log.
MAX_TRACEBACK_CHARS = 8000


def invoke(job: Job, context: Context) -> dict[str, Any]:
    """Run the job and return the outcome frame."""
    try:
        frame = _frame_of(_call(job, context))
    except Retry as signal:
        frame = {"kind": "retry", "delaySeconds": signal.delay_seconds, "message": signal.message}
    except Finish as signal:
        frame = {
            "kind": "finish",
            "code": signal.code,
            "message": signal.message,
            "data": signal.data,
        }
    except Cancelled:
        frame = {"kind": "cancelled"}
    except TimedOut:
        frame = {"kind": "timedout"}
    # Also SystemExit and KeyboardInterrupt: a job that calls sys.exit ends itself, not its process.
    except BaseException as error:
        frame = {"kind": "raised", "message": describe(error)}
        context.error(describe(error), traceback=_trace(error))
    return _checked({"op": "outcome", **frame}, context)


def describe(error: BaseException) -> str:
    """Return an exception in one line."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _call(job: Job, context: Context) -> Any:
    result = job.run(context)
    if inspect.iscoroutine(result):
        with asyncio.Runner() as runner:
            return runner.run(result)
    return result


def _frame_of(result: Any) -> dict[str, Any]:
    match result:
        case Continue(delay_seconds):
            return {"kind": "continue", "delaySeconds": delay_seconds}
        case Result(data, code):
            return {"kind": "returned", "data": data, "code": code}
        case _:
            return {"kind": "returned", "data": result, "code": 200}


def _checked(frame: dict[str, Any], context: Context) -> dict[str, Any]:
    """Make sure that data and state can be stored; otherwise the job has failed, and is
    told why."""
    try:
        if context.state:
            frame["state"] = checked_state(context.state)
        if frame.get("data") is not None:
            size = len(jsontext.dumps_embeddable(frame["data"]))
            if size > MAX_DATA_BYTES:
                raise ValueError(f"{size} bytes, at most {MAX_DATA_BYTES} are kept")
    except ValueError as error:
        message = f"the output or state cannot be kept: {error}"
        context.error(message)
        return {"op": "outcome", "kind": "raised", "message": message}
    return frame


def _trace(error: BaseException) -> str:
    # The first frames are this module's.
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return "".join(lines)[-MAX_TRACEBACK_CHARS:]
