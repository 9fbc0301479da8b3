"""Our errors for the SDK's, and what to tell people.

`zerog.store.couchbase.kinds` says what an error means; nobody else looks at the SDK's classes to
decide whether a write happened.
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
from zerog.store.couchbase.kinds import Kind, is_a, kind_of

_DEFINITE: dict[Kind, tuple[type[DatastoreError], str]] = {
    Kind.EXISTS: (DocumentExistsError, "there is a document {} already"),
    Kind.CONFLICT: (RevisionConflictError, "{} was changed in the meantime"),
    Kind.MISSING: (DocumentNotFoundError, "there is no document {}"),
    Kind.PATH_MISSING: (PathMissingError, "a path is not there in {}"),
    Kind.PATH_EXISTS: (PathExistsError, "a path is there already in {}"),
    Kind.TOO_LARGE: (DocumentTooLargeError, "{} is larger than Couchbase accepts"),
}
_RUN_INIT = (
    "a scope or collection is missing, or the user may not use it: run `zerog datastore init`"
)
_HINTS = {
    sdk.AuthenticationException: "the login or one of the user's roles is refused",
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
    kind = kind_of(error)
    if kind in _DEFINITE:
        ours, text = _DEFINITE[kind]
        return ours(text.format(what))
    if kind in (Kind.AMBIGUOUS, Kind.NOT_DONE, Kind.HOPELESS):
        return DatastoreUnavailableError(f"{what}: {_reason(error)}")
    return DatastoreError(f"{what}: Couchbase refuses: {_short(error)}")


def in_doubt(error: Exception, what: str) -> AmbiguousWriteError:
    """Return our error for a write that may have happened."""
    return AmbiguousWriteError(f"{what} may have been written: {_reason(error)}")


def at_start(error: Exception, address: Address) -> ZeroGError:
    """Return our error for a connection that was not made."""
    connection = address.connection
    if is_a(error, sdk.AuthenticationException):
        return ConfigError(
            f"{connection} refuses the login: check the user in the datastore's URL "
            "and ZEROG_COUCHBASE_PASSWORD_FILE"
        )
    if is_a(error, sdk.InvalidArgumentException):
        return ConfigError(f"{connection} cannot be used: {_short(error)}")
    if _SSL in str(error):
        return ConfigError(
            f"{connection} cannot be used: what ZEROG_COUCHBASE_CA_PATH, …CERT_PATH or …KEY_PATH "
            "names is not a certificate or key (PEM), or key and certificate do not match"
        )
    if address.is_tls and getattr(error, "error_code", None) == _PROTOCOL_ERROR_CODE:
        return ConfigError(
            f"{connection} refuses the login: it has no user for the certificate of "
            "ZEROG_COUCHBASE_CERT_PATH"
        )
    if is_a(error, sdk.BucketNotFoundException):
        return DatastoreUnavailableError(f"{connection} has no bucket {address.bucket} (yet)")
    reason = _reason(error)
    if address.is_tls and is_a(error, sdk.UnAmbiguousTimeoutException):
        reason += _TLS_HINT
    return DatastoreUnavailableError(f"{connection} cannot be reached: {reason}")


def no_collections(address: Address) -> ZeroGError:
    """Return our error for a bucket that was not prepared."""
    where = f"{address.connection}, bucket {address.bucket}, scope {address.scope}"
    return DatastoreUnavailableError(f"{where}: {_RUN_INIT}")


def is_no_collection(error: Exception) -> bool:
    """Whether a call has failed because the server does not know the collection."""
    missing = is_a(error, sdk.ScopeNotFoundException, sdk.CollectionNotFoundException)
    return missing or _NO_COLLECTION in str(getattr(error, "error_context", ""))


def _reason(error: Exception) -> str:
    for kind, hint in _HINTS.items():
        if is_a(error, kind):
            return hint
    if is_no_collection(error):
        return _RUN_INIT
    return f"no answer in time ({type(error).__name__})"


def _short(error: Exception) -> str:
    message = getattr(error, "message", None) or str(error)
    return f"{type(error).__name__}: {message[:300]}"
