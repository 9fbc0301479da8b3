"""The datastore: JSON documents in collections, with revisions. See `zerog.store.port`."""

import contextlib
from pathlib import Path

from zerog import settings as settings_module
from zerog.model.errors import ConfigError
from zerog.privatefile import make_folder
from zerog.settings import CouchbaseSettings, PlaceSettings
from zerog.store.port import Datastore

#: How the URLs of SQLite files begin.
SQLITE = "sqlite:///"
_COUCHBASE = ("couchbase://", "couchbases://")


def secret_paths(settings: PlaceSettings) -> list[str]:
    """Return the files and folders of a process that its jobs have no business with."""
    paths = settings_module.secret_paths(settings)
    return paths + ([settings.store[len(SQLITE) :]] if settings.store.startswith(SQLITE) else [])


def make_place(url: str) -> None:
    """Make the folder of a SQLite file, if it can be made: opening the file says why not."""
    if url.startswith(SQLITE):
        with contextlib.suppress(OSError):
            make_folder(Path(url[len(SQLITE) :]).parent)


async def open_datastore(
    url: str,
    settings: CouchbaseSettings | None = None,
    *,
    deadline_seconds: float = 5.0,
    patient: bool = False,
) -> Datastore:
    """Open the datastore that a URL names.

    `sqlite:///relative/path`, `sqlite:////absolute/path`, or `couchbase://user@host/bucket/scope`.
    `settings` hold what a Couchbase needs that its URL does not say. A `patient` caller gets a
    Couchbase that does not answer too: it is unavailable until it does.

    Raises:
        ConfigError: The URL names no datastore that there is, or its login is refused.
        DatastoreUnavailableError: It cannot be opened now.
    """
    if url.startswith(SQLITE) and len(url) > len(SQLITE):
        from zerog.store.sqlite.store import SqliteDatastore

        return await SqliteDatastore.open(Path(url[len(SQLITE) :]), deadline_seconds)
    if url.startswith(_COUCHBASE):
        from zerog.store.couchbase.store import open_couchbase

        settings = settings or CouchbaseSettings()
        return await open_couchbase(url, settings, deadline_seconds, patient=patient)
    raise ConfigError(
        f"{url!r} is not a datastore's URL: write sqlite:///relative/path, "
        "sqlite:////absolute/path or couchbase://user@host/bucket/scope"
    )
