"""Which of the SDK's errors say what: every class of error has its place here, by decision.

The SDK chooses the class by an error's number alone, and numbers repeat in other categories: 104 is
a value too large for the data service and a reset connection for the operating system, 105 a
document that exists and a lack of buffers, 101 a missing document and an unreachable network. So
the category decides whether a class is believed. What is unknown is ambiguous: a write that failed
so may have happened. Pure. `zerog.store.couchbase.failures` has our errors for these kinds.
"""

from enum import Enum, auto

from couchbase import exceptions as sdk


class Kind(Enum):
    """What an error of the SDK means to a call."""

    #: A write may have happened. A read found no answer in time.
    AMBIGUOUS = auto()
    #: Nothing happened; it may work later.
    NOT_DONE = auto()
    #: Nothing happened, and it will be the same a moment later; it may work after somebody mends
    #: it. A refused login is among them: passwords change while ZeroG runs, and no job may be lost
    #: by that.
    HOPELESS = auto()
    #: The server cannot do this change on parts of the document: read and replace it.
    NOT_BY_PARTS = auto()
    MISSING = auto()
    EXISTS = auto()
    CONFLICT = auto()
    PATH_MISSING = auto()
    PATH_EXISTS = auto()
    TOO_LARGE = auto()
    #: Any other refusal: the call itself is wrong.
    REFUSED = auto()


#: By class; a class that is new in the SDK fails a test until it has its place.
CLASSES: dict[Kind, tuple[type[sdk.CouchbaseException], ...]] = {
    Kind.AMBIGUOUS: (
        sdk.AmbiguousTimeoutException,
        sdk.DurabilitySyncWriteAmbiguousException,
        sdk.InternalServerFailureException,
        sdk.RequestCanceledException,
        # What says nothing of the operation.
        sdk.CouchbaseException,
        sdk.HTTPException,
        sdk.InternalSDKException,
        sdk.MissingConnectionException,
        sdk.TimeoutException,
        sdk.UnsuccessfulOperationException,
        # Of services and features that ZeroG does not use: if one comes up, nobody knows why.
        sdk.AlreadyQueriedException,
        sdk.AnalyticsLinkExistsException,
        sdk.AnalyticsLinkNotFoundException,
        sdk.CryptoException,
        sdk.CryptoKeyNotFoundException,
        sdk.DatasetAlreadyExistsException,
        sdk.DatasetNotFoundException,
        sdk.DataverseAlreadyExistsException,
        sdk.DataverseNotFoundException,
        sdk.DecrypterAlreadyExistsException,
        sdk.DecrypterNotFoundException,
        sdk.DecryptionFailureException,
        sdk.DesignDocumentNotFoundException,
        sdk.DocumentUnretrievableException,
        sdk.EncrypterAlreadyExistsException,
        sdk.EncrypterNotFoundException,
        sdk.EncryptionFailureException,
        sdk.EventingFunctionAlreadyDeployedException,
        sdk.EventingFunctionCollectionNotFoundException,
        sdk.EventingFunctionCompilationFailureException,
        sdk.EventingFunctionIdenticalKeyspaceException,
        sdk.EventingFunctionNotBootstrappedException,
        sdk.EventingFunctionNotDeployedException,
        sdk.EventingFunctionNotFoundException,
        sdk.EventingFunctionNotUnDeployedException,
        sdk.GroupNotFoundException,
        sdk.InvalidCipherTextException,
        sdk.InvalidCryptoKeyException,
        sdk.MissingTokenException,
        sdk.MutationTokenOutdatedException,
        sdk.NoChildrenException,
        sdk.QueueEmpty,
        sdk.RangeScanCompletedException,
        sdk.SearchIndexNotFoundException,
        sdk.TransactionCommitAmbiguous,
        sdk.TransactionException,
        sdk.TransactionExpired,
        sdk.TransactionFailed,
        sdk.TransactionOperationFailed,
        sdk.UserNotFoundException,
    ),
    Kind.NOT_DONE: (
        sdk.DocumentLockedException,
        sdk.DurabilitySyncWriteInProgressException,
        sdk.QuotaLimitedException,
        sdk.RateLimitedException,
        sdk.ServiceUnavailableException,
        sdk.TemporaryFailException,
        sdk.UnAmbiguousTimeoutException,
    ),
    Kind.HOPELESS: (
        sdk.AuthenticationException,
        sdk.BucketDoesNotExistException,
        sdk.BucketNotFoundException,
        sdk.CollectionNotFoundException,
        sdk.DurabilityImpossibleException,
        sdk.ScopeNotFoundException,
    ),
    Kind.NOT_BY_PARTS: (
        sdk.DeltaInvalidException,
        sdk.DocumentNotJsonException,
        sdk.InvalidValueException,
        sdk.NumberTooBigException,
        sdk.PathInvalidException,
        sdk.PathMismatchException,
        sdk.PathTooBigException,
        sdk.PathTooDeepException,
        sdk.ValueTooDeepException,
    ),
    Kind.MISSING: (sdk.DocumentNotFoundException,),
    Kind.EXISTS: (sdk.DocumentExistsException,),
    Kind.CONFLICT: (sdk.CasMismatchException,),
    Kind.PATH_MISSING: (sdk.PathNotFoundException,),
    Kind.PATH_EXISTS: (sdk.PathExistsException,),
    Kind.REFUSED: (
        sdk.BucketAlreadyExistsException,
        sdk.BucketNotFlushableException,
        sdk.CollectionAlreadyExistsException,
        sdk.DocumentNotLockedException,
        sdk.DurabilityInvalidLevelException,
        sdk.FeatureNotFoundException,
        sdk.FeatureUnavailableException,
        sdk.InvalidArgumentException,
        sdk.InvalidIndexException,
        sdk.KeyspaceNotFoundException,
        sdk.ParsingFailedException,
        sdk.QueryIndexAlreadyExistsException,
        sdk.QueryIndexNotFoundException,
        sdk.ScopeAlreadyExistsException,
        sdk.UnsupportedOperation,
        sdk.ValueFormatException,
        sdk.WatchQueryIndexTimeoutException,
    ),
}
_KINDS = {kind_class: kind for kind, classes in CLASSES.items() for kind_class in classes}
_COUCHBASE, _NETWORK, _KEY_VALUE = "couchbase.", "couchbase.network", "couchbase.key_value"
_TOO_LARGE, _AMBIGUOUS_TIMEOUT = 104, 13


def kind_of(error: Exception) -> Kind:
    """Return what an error that a call of the SDK raised means."""
    if not isinstance(error, sdk.CouchbaseException):
        return Kind.HOPELESS  # the SDK's own: its cluster is closed, or was not connected
    category = category_of(error)
    if category is not None:
        if not category.startswith(_COUCHBASE) or category == _NETWORK:
            return Kind.AMBIGUOUS
        if (category, error.error_code) == (_KEY_VALUE, _TOO_LARGE):
            return Kind.TOO_LARGE
        if error.error_code == _AMBIGUOUS_TIMEOUT:
            # The class may tell why the first tries failed; the last one may have been done.
            return Kind.AMBIGUOUS
    return _KINDS.get(type(error), Kind.AMBIGUOUS)


def is_a(error: BaseException | None, *classes: type[Exception]) -> bool:
    """Whether an error is one of the SDK's classes, and its category agrees."""
    if not isinstance(error, classes):
        return False
    category = category_of(error)
    return category is None or (category.startswith(_COUCHBASE) and category != _NETWORK)


def category_of(error: BaseException | None) -> str | None:
    """Return in which of the core's categories an error's code counts; None: the SDK for Python
    raised it by itself."""
    # The SDK tells it in the error's text only; its text is made of this.
    base = getattr(error, "_base", None)
    return None if base is None else str(base.err_category())
