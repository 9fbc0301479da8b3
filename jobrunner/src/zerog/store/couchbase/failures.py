"""What the SDK's exceptions mean, and ours for them.

Three kinds matter. *Not done*: the server did not do it, and may later. *Ambiguous*: a
write whose answer never came; it may have happened. Everything else is definite.
"""

from couchbase import exceptions as sdk

from zerog.model.errors import (
    AmbiguousWriteError,
    ConfigError,
    DatastoreError,
    DatastoreUnavailableError,
    DocumentExistsError,
    DocumentNotFoundError,
    DocumentTooLargeError,
    PathExistsError,
    PathMissingError,
    RevisionConflictError,
    ZeroGError,
)
from zerog.store.couchbase.address import Address

#: A write that raised one of these may have happened. Reads did not find an answer in time.
AMBIGUOUS = (
    sdk.AmbiguousTimeoutException,
    sdk.RequestCanceledException,
    sdk.DurabilitySyncWriteAmbiguousException,
    sdk.InternalServerFailureException,
)
#: These say that nothing happened, and that it may work later. A refused login is among them:
#: passwords are changed while ZeroG runs, and no job shall be lost by that.
NOT_DONE = (
    sdk.UnAmbiguousTimeoutException,
    sdk.TemporaryFailException,
    sdk.DocumentLockedException,
    sdk.ServiceUnavailableException,
    sdk.DurabilitySyncWriteInProgressException,
    sdk.DurabilityImpossibleException,
    sdk.AuthenticationException,
    sdk.BucketNotFoundException,
    sdk.ScopeNotFoundException,
    sdk.CollectionNotFoundException,
    sdk.RateLimitedException,
    sdk.QuotaLimitedException,
)
#: A sub-document operation that the server cannot do on this document: read and replace it.
NOT_BY_PARTS = (
    sdk.DeltaInvalidException,
    sdk.NumberTooBigException,
    sdk.PathInvalidException,
    sdk.PathMismatchException,
    sdk.PathTooBigException,
    sdk.PathTooDeepException,
    sdk.ValueTooDeepException,
    sdk.InvalidValueException,
    sdk.DocumentNotJsonException,
)
_DEFINITE: tuple[tuple[type[Exception], type[DatastoreError], str], ...] = (
    (sdk.DocumentExistsException, DocumentExistsError, "there is a document {} already"),
    (sdk.CasMismatchException, RevisionConflictError, "{} was changed meanwhile"),
    (sdk.DocumentNotFoundException, DocumentNotFoundError, "there is no document {}"),
    (sdk.PathNotFoundException, PathMissingError, "a path is not there in {}"),
    (sdk.PathExistsException, PathExistsError, "a path is there already in {}"),
)
_TOO_LARGE_CODE = 104
_RUN_INIT = "a scope or collection is missing: run `zerog datastore init`"
_HINTS = {
    sdk.AuthenticationException: "the login or one of the user's roles is refused",
    sdk.ScopeNotFoundException: _RUN_INIT,
    sdk.CollectionNotFoundException: _RUN_INIT,
    sdk.BucketNotFoundException: "there is no such bucket, or not yet",
    sdk.DurabilityImpossibleException: (
        "the bucket has too few replicas alive for ZEROG_COUCHBASE_DURABILITY"
    ),
    sdk.TemporaryFailException: "the server is short of memory or still warming up",
}
#: The SDK's errors of OpenSSL have no class of their own, nor has a session that is not let in.
_SSL, _PROTOCOL_ERROR_CODE = "category=asio.ssl", 1004
#: The SDK tries again over a failed handshake, and tells of none.
_TLS_HINT = (
    "; over TLS that is also what happens when the authority in ZEROG_COUCHBASE_CA_PATH has not "
    "signed the server's certificate, when the server wants a client certificate or takes ours "
    "for nobody's, and when the port does not speak TLS"
)
#: The SDK repeats an operation for this reason until its time is over.
_NO_COLLECTION = "collection_outdated"


def translate(error: Exception, what: str) -> ZeroGError:
    """Return our error for the SDK's. `what` names the document or the call."""
    for kind, ours, text in _DEFINITE:
        if isinstance(error, kind):
            return ours(text.format(what))
    if isinstance(error, sdk.CouchbaseException) and error.error_code == _TOO_LARGE_CODE:
        return DocumentTooLargeError(f"{what} is larger than Couchbase accepts")
    if isinstance(error, (*NOT_DONE, *AMBIGUOUS, RuntimeError)):
        return DatastoreUnavailableError(f"{what}: {_reason(error)}")
    return DatastoreError(f"{what}: Couchbase refuses: {_short(error)}")


def in_doubt(error: Exception, what: str) -> AmbiguousWriteError:
    """Return our error for a write that may have happened."""
    return AmbiguousWriteError(f"{what} may have been written: {_reason(error)}")


def at_start(error: Exception, address: Address) -> ZeroGError:
    """Return our error for a connection that was not made."""
    connection = address.connection
    if isinstance(error, sdk.AuthenticationException):
        return ConfigError(
            f"{connection} refuses the login: check the user in the datastore's URL "
            "and ZEROG_COUCHBASE_PASSWORD_FILE"
        )
    if isinstance(error, sdk.InvalidArgumentException):
        return ConfigError(f"{connection} cannot be used: {_short(error)}")
    if _SSL in str(error):
        return ConfigError(
            f"{connection} cannot be used: what ZEROG_COUCHBASE_CA_PATH, …CERT_PATH or …KEY_PATH "
            "names is no certificate or key (PEM), or key and certificate do not fit together"
        )
    if address.is_tls and getattr(error, "error_code", None) == _PROTOCOL_ERROR_CODE:
        return ConfigError(
            f"{connection} refuses the login: it has no user whom the certificate of "
            "ZEROG_COUCHBASE_CERT_PATH names"
        )
    if isinstance(error, sdk.BucketNotFoundException):
        return DatastoreUnavailableError(f"{connection} has no bucket {address.bucket}, or not yet")
    reason = _reason(error)
    if address.is_tls and isinstance(error, sdk.UnAmbiguousTimeoutException):
        reason += _TLS_HINT
    return DatastoreUnavailableError(f"{connection} cannot be reached: {reason}")


def _reason(error: Exception) -> str:
    for kind, hint in _HINTS.items():
        if isinstance(error, kind):
            return hint
    if _NO_COLLECTION in str(getattr(error, "error_context", "")):
        return _RUN_INIT
    return f"no answer in time ({type(error).__name__})"


def _short(error: Exception) -> str:
    message = getattr(error, "message", None) or str(error)
    return f"{type(error).__name__}: {message[:300]}"
