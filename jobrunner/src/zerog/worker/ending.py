"""Write how an attempt ended, and everything that it reported before.

Order matters: reports first, so that a finished job's log is whole; then the end, by
compare-and-swap; then the queue entry, by the caller.
"""

import asyncio
import contextlib

from zerog.ledger.beside import expire_side_documents
from zerog.ledger.finish import STORE_RETRY_SECONDS, Finisher
from zerog.model import life
from zerog.model.errors import DatastoreError, DocumentTooLargeError
from zerog.sdk.outcome import Outcome
from zerog.worker.execution import Death, Execution
from zerog.worker.verdict import judge_death, judge_outcome


async def write_end(
    finisher: Finisher, execution: Execution, end: Outcome | Death
) -> life.Step | None:
    """Write reports and end; None if the attempt is stale or its job gone."""
    if isinstance(end, Death):
        await save_state(finisher, execution)
    while execution.reports.pending:
        await execution.reports.try_flush(finisher.store)
        if execution.reports.pending:
            await asyncio.sleep(STORE_RETRY_SECONDS)
    claim = execution.claim
    try:
        event = await _judge(finisher, execution, end)
        return await finisher.write(claim, event)
    except DocumentTooLargeError as error:
        failed = life.Raised(claim.record.attempt, f"the output cannot be kept: {error}")
        return await finisher.write(claim, failed)


async def save_state(finisher: Finisher, execution: Execution) -> None:
    """Write the state that the job saved on the way. A later one may come meanwhile."""
    state = execution.unsaved_state
    if state is None:
        return
    with contextlib.suppress(DatastoreError):
        await finisher.save_state(execution.claim, state)
        if execution.unsaved_state is state:
            execution.unsaved_state = None


async def expire_beside(finisher: Finisher, execution: Execution, step: life.Step) -> None:
    """Let the documents beside a finished job's record vanish when it does, if there are any."""
    record = step.record
    beside = execution.reports.wrote or record.attempt > 1 or record.has_input_blob
    if record.is_finished and (beside or record.output_blob_attempt is not None):
        await expire_side_documents(finisher.store, record)


async def _judge(finisher: Finisher, execution: Execution, end: Outcome | Death) -> life.Event:
    attempt = execution.claim.record.attempt
    if isinstance(end, Death):
        return judge_death(end.exitcode, end.oom, attempt, execution.stop_reason)
    in_blob = await finisher.store_output(execution.claim, end.data)
    return judge_outcome(end, attempt, execution.stop_reason, in_blob=in_blob)
