"""What the SDK's errors mean: each class by decision, none by its number alone."""

import errno
from typing import Any

import pytest
from couchbase import exceptions as sdk

from zerog.model.errors import (
    DatastoreError,
    DatastoreUnavailableError,
    DocumentTooLargeError,
    PathExistsError,
    RevisionConflictError,
)
from zerog.store.couchbase.failures import translate
from zerog.store.couchbase.kinds import CLASSES, Kind, is_a, kind_of

KEY_VALUE, COMMON = "couchbase.key_value", "couchbase.common"
FOREIGN = ("asio.system", "asio.misc", "asio.netdb", "system", "generic", "couchbase.network")
#: Numbers by which the SDK for Python chooses a class, whatever the category.
NUMBERS = sorted({member.value for member in sdk.ExceptionMap})


class Base:
    """An error of the SDK's core, before the SDK for Python makes one of its classes of it."""

    def __init__(self, code: int, category: str, reasons: tuple[str, ...] = ()) -> None:
        self._code = code
        self._category = category
        self._reasons = set(reasons)

    def err(self) -> int:
        return self._code

    def err_category(self) -> str:
        return self._category

    def strerror(self) -> str:
        return "an error"

    def error_info(self) -> dict[str, Any]:
        return {}

    def error_context(self) -> dict[str, Any]:
        return {"context_type": "KeyValueErrorContext", "retry_reasons": self._reasons}


def raised(code: int, category: str, *reasons: str) -> Exception:
    """Return what the SDK raises for an error of its core."""
    error: Exception = sdk.ErrorMapper.build_exception(Base(code, category, reasons))
    return error


def sdk_classes() -> set[type[sdk.CouchbaseException]]:
    found = (getattr(sdk, name) for name in dir(sdk))
    return {it for it in found if isinstance(it, type) and issubclass(it, sdk.CouchbaseException)}


def test_every_class_of_the_sdk_has_one_place() -> None:
    placed = [it for classes in CLASSES.values() for it in classes]

    assert set(placed) == sdk_classes()
    assert len(placed) == len(set(placed))


@pytest.mark.parametrize("category", FOREIGN)
@pytest.mark.parametrize("code", [*NUMBERS, 104, errno.ECONNRESET, errno.EPIPE, 1004, 99999])
def test_a_number_of_the_network_says_nothing_of_a_document(category: str, code: int) -> None:
    error = raised(code, category)

    assert kind_of(error) is Kind.AMBIGUOUS
    assert not is_a(error, type(error))
    assert isinstance(translate(error, "jobs/key"), DatastoreUnavailableError)


def test_the_classes_that_the_sdk_gives_network_errors_are_wrong() -> None:
    """Why categories are looked at; once this fails they may not have to be."""
    assert isinstance(raised(errno.ENETUNREACH, "asio.system"), sdk.DocumentNotFoundException)
    assert isinstance(raised(errno.ENOBUFS, "asio.system"), sdk.DocumentExistsException)


@pytest.mark.parametrize(
    ("code", "category", "kind", "ours"),
    [
        (104, KEY_VALUE, Kind.TOO_LARGE, DocumentTooLargeError),
        (9, COMMON, Kind.CONFLICT, RevisionConflictError),
        (123, KEY_VALUE, Kind.PATH_EXISTS, PathExistsError),
        (7, COMMON, Kind.NOT_DONE, DatastoreUnavailableError),
        (14, COMMON, Kind.NOT_DONE, DatastoreUnavailableError),
        (108, KEY_VALUE, Kind.HOPELESS, DatastoreUnavailableError),
        (116, KEY_VALUE, Kind.NOT_BY_PARTS, DatastoreError),
        (3, COMMON, Kind.REFUSED, DatastoreError),
    ],
)
def test_a_number_of_couchbase_says_what_it_is_there_for(
    code: int, category: str, kind: Kind, ours: type[Exception]
) -> None:
    error = raised(code, category)

    assert kind_of(error) is kind
    assert type(translate(error, "jobs/key")) is ours


@pytest.mark.parametrize("code", [198, 104])
def test_a_number_that_nobody_knows_leaves_a_write_in_doubt(code: int) -> None:
    assert kind_of(raised(code, COMMON)) is Kind.AMBIGUOUS


@pytest.mark.parametrize("reason", ["key_value_temporary_failure", "key_value_locked"])
def test_why_the_first_tries_failed_says_nothing_of_the_last(reason: str) -> None:
    """The core may have sent it once more before its time was over."""
    assert kind_of(raised(13, COMMON, reason)) is Kind.AMBIGUOUS
    assert kind_of(raised(14, COMMON, reason)) is Kind.NOT_DONE


def test_what_the_sdk_for_python_raises_by_itself_is_what_its_class_says() -> None:
    assert kind_of(sdk.InvalidArgumentException("an option")) is Kind.REFUSED
    assert kind_of(RuntimeError("closed")) is Kind.HOPELESS


def test_a_class_below_a_known_one_that_nobody_has_placed_is_ambiguous() -> None:
    class Newer(sdk.DocumentExistsException):  # type: ignore[misc]  # the SDK is not typed
        pass

    assert kind_of(Newer()) is Kind.AMBIGUOUS
