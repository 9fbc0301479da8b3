"""The scopes and collections of the bucket, and the numbers they have on the wire."""

from dataclasses import dataclass, field

from tests.couchbase.protocol import Status

#: Below lies what Couchbase keeps for itself; 0 is the default of both.
_FIRST_ID = 8


class ManifestError(Exception):
    """A name is taken, wrong or not known; `status` is what the data service answers."""

    def __init__(self, message: str, status: Status = Status.INVALID) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Collection:
    """One collection."""

    number: int
    scope: str
    name: str
    #: Caps each document's TTL and is its default; 0: none.
    max_ttl: int = 0

    @property
    def path(self) -> str:
        """Scope and collection as faults name them."""
        return f"{self.scope}.{self.name}"


@dataclass(slots=True)
class Manifest:
    """All scopes and collections of the bucket; `uid` grows with each change."""

    uid: int = 1
    scopes: dict[str, int] = field(default_factory=lambda: {"_default": 0})
    collections: dict[int, Collection] = field(
        default_factory=lambda: {0: Collection(0, "_default", "_default")}
    )
    next_number: int = _FIRST_ID

    def create_scope(self, name: str) -> int:
        """Add a scope and return the manifest's new uid.

        Raises:
            ManifestError: The name is taken or empty.
        """
        if not _is_name(name):
            raise ManifestError("scope name may only hold letters, digits, _ - and %")
        if name in self.scopes:
            raise ManifestError(f'Scope with name "{name}" already exists')
        self.scopes[name] = self._take_number()
        return self.uid

    def create_collection(self, scope: str, name: str, max_ttl: int = 0) -> int:
        """Add a collection and return the manifest's new uid.

        Raises:
            ManifestError: The name is taken or empty, or there is no such scope.
        """
        if not _is_name(name):
            raise ManifestError("collection name may only hold letters, digits, _ - and %")
        if scope not in self.scopes:
            message = f'Scope with name "{scope}" is not found'
            raise ManifestError(message, Status.UNKNOWN_SCOPE)
        if any((c.scope, c.name) == (scope, name) for c in self.collections.values()):
            raise ManifestError(f'Collection with name "{name}" in scope "{scope}" already exists')
        number = self._take_number()
        self.collections[number] = Collection(number, scope, name, max_ttl)
        return self.uid

    def drop_collection(self, scope: str, name: str) -> int:
        """Remove a collection and return the manifest's new uid.

        Raises:
            ManifestError: There is none.
        """
        del self.collections[self.find(scope, name).number]
        self.uid += 1
        return self.uid

    def find(self, scope: str, name: str) -> Collection:
        """Return a collection by name.

        Raises:
            ManifestError: There is no such scope or collection.
        """
        if scope not in self.scopes:
            message = f'Scope with name "{scope}" is not found'
            raise ManifestError(message, Status.UNKNOWN_SCOPE)
        for collection in self.collections.values():
            if (collection.scope, collection.name) == (scope, name):
                return collection
        message = f'Collection with name "{name}" in scope "{scope}" is not found'
        raise ManifestError(message, Status.UNKNOWN_COLLECTION)

    def to_json(self) -> dict[str, object]:
        """Return what management and data service say of it: all numbers are hexadecimal."""
        scopes = []
        for scope, number in self.scopes.items():
            collections = [
                {"name": c.name, "uid": f"{c.number:x}", "maxTTL": c.max_ttl, "history": False}
                for c in self.collections.values()
                if c.scope == scope
            ]
            scopes.append({"name": scope, "uid": f"{number:x}", "collections": collections})
        return {"uid": f"{self.uid:x}", "scopes": scopes}

    def _take_number(self) -> int:
        number = self.next_number
        self.next_number += 1
        self.uid += 1
        return number


def _is_name(name: str) -> bool:
    # A leading underscore or percent sign is Couchbase's own.
    return (
        0 < len(name) <= 251
        and name[0] not in "_%"
        and all(c.isascii() and (c.isalnum() or c in "_-%") for c in name)
    )
