"""Errors as RFC 9457 problem documents: the one table from an error to the client's answer.

Nothing internal reaches a client: no trace, no address, and no exception text that was not written
for clients.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from zerog.model.errors import (
    DatastoreError,
    DocumentTooLargeError,
    JobBusyError,
    JobNotFoundError,
    JobStateError,
    QueueError,
    UnreadableDocumentError,
    ZeroGError,
)
from zerog_api.core.errors import (
    Fault,
    InvalidCallError,
    KeyReusedError,
    TakenBackError,
    UnknownQueueError,
    UnknownTypeError,
    UnknownWorkerError,
)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2


class Problem(Exception):
    """An answer that is an error."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = headers or {}

    def to_document(self) -> dict[str, Any]:
        """Return the body of the answer."""
        document: dict[str, Any] = {
            "type": f"urn:zerog:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.faults:
            document["errors"] = [
                {"path": fault.path, "message": fault.message} for fault in self.faults
            ]
        return document


def unprocessable(faults: Sequence[Fault], detail: str) -> Problem:
    """Return the problem of a request that is understood but invalid."""
    return Problem(422, "invalid-request", detail, faults=faults)


def forbidden(detail: str) -> Problem:
    """Return the problem of a missing right: which one, and whose."""
    return Problem(403, "forbidden", detail)


def unavailable(what: str) -> Problem:
    """Return the problem of an unavailable part."""
    return Problem(
        503,
        f"{what}-unavailable",
        f"the {what} is unavailable; try again: with the same Idempotency-Key, no job is accepted "
        "twice",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def stopping() -> Problem:
    """Return the problem of a change that arrives while the API stops."""
    detail = "this API is stopping; nothing was changed; try again"
    return Problem(503, "stopping", detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def of_error(error: ZeroGError) -> Problem:
    """Return the problem for one of ZeroG's errors."""
    match error:
        case InvalidCallError():
            return unprocessable(error.faults, str(error))
        case UnknownTypeError():
            return Problem(404, "unknown-type", str(error))
        case UnknownQueueError():
            return Problem(404, "unknown-queue", str(error))
        case UnknownWorkerError():
            return Problem(404, "unknown-worker", str(error))
        case KeyReusedError():
            return Problem(409, "idempotency-key-reused", str(error))
        case TakenBackError():
            return unavailable("queue")
        case JobNotFoundError():
            return Problem(404, "unknown-job", str(error))
        case JobBusyError():
            return Problem(409, "busy", str(error))
        case JobStateError():
            return Problem(409, "job-state", str(error))
        case DocumentTooLargeError():
            return Problem(413, "too-large", "the parameters are too large to be stored")
        case UnreadableDocumentError():
            return internal()
        case DatastoreError():
            return unavailable("datastore")
        case QueueError():
            return unavailable("queue")
        case _:
            return internal()


def internal() -> Problem:
    """Return the problem of a bug: the log has the details."""
    return Problem(500, "internal", "internal error; the server's log has the details")
