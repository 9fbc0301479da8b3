"""The errors of ZeroG, one tree.

    ZeroGError
      ConfigError
      JobError          JobNotFoundError  JobStateError  StaleAttemptError
                        JobBusyError (transient)  JobDefinitionError  InvalidParametersError
      DatastoreError    DocumentExistsError  DocumentNotFoundError  RevisionConflictError
                        PathExistsError  PathMissingError  DocumentTooLargeError
                        UnreadableDocumentError
                        DatastoreUnavailableError (transient)  AmbiguousWriteError (transient)
      QueueError        QueueUnavailableError (transient)  QueueRefusedError
                        InvalidTubeNameError
      LeaseLostError (transient)
      NurseryError (transient)

A third party's exceptions stop at the adapter that owns the third party: nothing above
`zerog.queue` or `zerog.store` ever sees a socket error or an `sqlite3` one. Control-flow
signals of job authors (`Retry`, `Finish`) are no errors: see `zerog.sdk.signals`.
"""

#: What is wrong with modules that define nothing to run.
NO_JOB = "no class derives from zerog.Job: write `class Name(zerog.Job):` with a method run"


class ZeroGError(Exception):
    """Something in ZeroG went wrong."""

    #: Whether the same call may succeed later without anybody changing anything.
    transient = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").splitlines()[0])


class ConfigError(ZeroGError):
    """The configuration is not usable."""


class JobError(ZeroGError):
    """A job cannot do what was asked."""


class JobNotFoundError(JobError):
    """There is no job with this UUID."""


class JobStateError(JobError):
    """The job's state does not allow this."""


class StaleAttemptError(JobStateError):
    """A later attempt has taken the job over, or it is finished: this one may not write."""


class JobBusyError(JobError):
    """The job changes too fast; try again."""

    transient = True


class JobDefinitionError(JobError):
    """A job class is not written as the SDK needs it."""


class InvalidParametersError(JobError):
    """The parameters do not fit the job type."""


class DatastoreError(ZeroGError):
    """The datastore refused an operation."""


class DocumentExistsError(DatastoreError):
    """There is a document with this key already."""


class DocumentNotFoundError(DatastoreError):
    """There is no document with this key."""


class RevisionConflictError(DatastoreError):
    """The document was changed by somebody else since it was read."""


class PathExistsError(DatastoreError):
    """The document has this path already."""


class PathMissingError(DatastoreError):
    """The document does not have this path."""


class DocumentTooLargeError(DatastoreError):
    """The document is larger than the datastore accepts."""


class UnreadableDocumentError(DatastoreError):
    """The document does not have the form that ZeroG writes."""


class DatastoreUnavailableError(DatastoreError):
    """The datastore cannot be reached now; the write did not happen."""

    transient = True


class AmbiguousWriteError(DatastoreError):
    """The write may or may not have happened: read before repeating it."""

    transient = True


class QueueError(ZeroGError):
    """The queue refused an operation."""


class QueueUnavailableError(QueueError):
    """The queue cannot be reached now."""

    transient = True


class QueueRefusedError(QueueError):
    """The queue takes no new entries (draining, or the entry is too big)."""


class InvalidTubeNameError(QueueError, ValueError):
    """The name cannot be a tube's."""


class LeaseLostError(ZeroGError):
    """Another process does this work now, or may do it."""

    transient = True


class NurseryError(ZeroGError):
    """No process for a job can be started now."""

    transient = True
