"""The SQLite file: its tables and settings, and how SQLite's errors become ours.

One table holds all collections. Control documents carry what listings filter by in
columns of their own; partial indexes cover them only, so that the many other documents
cost no index writes. A document's revision is a random number of 62 bits, so none is
ever used twice, also not after a removal.
"""

import sqlite3
import time
from pathlib import Path

from zerog.model.errors import DatastoreError, DatastoreUnavailableError
from zerog.privatefile import FILE_MODE, make_folder
from zerog.store.sqlite import openjobs

VERSION = 7
#: Pages of the write-ahead log before a checkpoint: some 8 MiB, so that bursts do not wait for one.
CHECKPOINT_PAGES = 2000
#: Between tries to put a new file into write-ahead-log mode while others do the same.
WAL_PAUSE_SECONDS = 0.001

#: A job's labels never change. A trigger's statements are in one line: see `_run`.
_LABELS = f"""{openjobs.OVERDUE_INDEX}
CREATE INDEX jobs_by_end ON document (finished, key, state, expires)
    WHERE collection = 'jobs' AND finished IS NOT NULL;
CREATE TABLE label (text TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (text, key)) WITHOUT ROWID;
CREATE TRIGGER forget_labels AFTER DELETE ON document WHEN old.labels IS NOT NULL BEGIN
    DELETE FROM label
    WHERE key = old.key AND text IN (SELECT value FROM json_each(old.labels)); END;
"""
_SCHEMA = f"""
CREATE TABLE document (
    collection TEXT NOT NULL,
    key TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body BLOB NOT NULL,
    expires REAL,
    state TEXT, type TEXT, queue TEXT, changed TEXT, entry INTEGER, version TEXT,
    due TEXT, overdue TEXT, finished TEXT, cause TEXT, labels TEXT,
    PRIMARY KEY (collection, key)
) WITHOUT ROWID;
CREATE INDEX jobs_by_state ON document (state, key) WHERE collection = 'jobs';
CREATE INDEX jobs_by_type ON document (type, state, key, queue) WHERE collection = 'jobs';
CREATE INDEX jobs_by_queue ON document (queue, state, key, expires)
    WHERE collection = 'jobs';{openjobs.INDEXES}{openjobs.VERSIONS_INDEX}{openjobs.DUE_INDEX}
{_LABELS}
CREATE INDEX by_expiry ON document (expires) WHERE expires IS NOT NULL;
CREATE TABLE lease (name TEXT PRIMARY KEY, owner TEXT NOT NULL, expires REAL NOT NULL);
"""
#: What makes a file of a version into one of the next. `json_extract` takes no blob. Of finished
#: jobs nobody asks for the entry.
_UPGRADES = {
    1: """
ALTER TABLE document ADD COLUMN has_entry INTEGER;
UPDATE document SET has_entry = json_extract(CAST(body AS TEXT), '$.entryId') IS NOT NULL
    WHERE collection = 'jobs' AND json_valid(CAST(body AS TEXT));
DROP INDEX jobs_by_type;
CREATE INDEX jobs_by_type ON document (type, state, key, queue) WHERE collection = 'jobs';
DROP INDEX jobs_by_queue;
CREATE INDEX jobs_by_queue ON document (queue, state, key, changed, expires)
    WHERE collection = 'jobs';
CREATE INDEX jobs_without_entry ON document (state, key)
    WHERE collection = 'jobs' AND has_entry = 0;
""",
    2: f"""
DROP INDEX jobs_without_entry;
ALTER TABLE document RENAME COLUMN has_entry TO entry;
UPDATE document SET entry = json_extract(CAST(body AS TEXT), '$.entryId')
    WHERE collection = 'jobs' AND state IN ('queued', 'running', 'waiting')
    AND json_valid(CAST(body AS TEXT));{openjobs.INDEXES}
""",
    3: f"""
ALTER TABLE document ADD COLUMN version TEXT;{openjobs.VERSIONS_INDEX}
""",
    4: f"""
ALTER TABLE document ADD COLUMN due TEXT;
UPDATE document SET due = json_extract(CAST(body AS TEXT), '$.notBeforeTime')
    WHERE collection = 'jobs' AND state IN ('queued', 'waiting')
    AND json_valid(CAST(body AS TEXT));{openjobs.DUE_INDEX}
""",
    5: f"""
ALTER TABLE document ADD COLUMN overdue TEXT;
ALTER TABLE document ADD COLUMN finished TEXT;
ALTER TABLE document ADD COLUMN cause TEXT;
ALTER TABLE document ADD COLUMN labels TEXT;
UPDATE document SET finished = json_extract(CAST(body AS TEXT), '$.finishedTime')
    WHERE collection = 'jobs' AND json_valid(CAST(body AS TEXT));{_LABELS}
""",
    6: """
DROP TRIGGER IF EXISTS label_job;
DROP TABLE counter;
DROP INDEX jobs_by_queue;
CREATE INDEX jobs_by_queue ON document (queue, state, key, expires) WHERE collection = 'jobs';
""",
}


def connect(path: Path, *, readonly: bool, timeout_seconds: float) -> sqlite3.Connection:
    """Open the file; make folder and file if they are not there. Raises our errors."""
    try:
        if not readonly:
            make_folder(path.parent)
            path.touch(mode=FILE_MODE, exist_ok=True)
        connection = sqlite3.connect(
            path,
            timeout=timeout_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
        _use_wal(connection, timeout_seconds)
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute("PRAGMA synchronous = NORMAL")
        if readonly:
            connection.execute("PRAGMA query_only = ON")
        return connection
    except (sqlite3.Error, OSError) as error:
        raise translate(error, path) from error


def _use_wal(connection: sqlite3.Connection, timeout_seconds: float) -> None:
    # SQLite does not wait by itself here: of processes that start on a new file all but one fail.
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = (error.sqlite_errorname or "").startswith("SQLITE_BUSY")
            if not busy or time.monotonic() >= deadline:
                raise
        time.sleep(WAL_PAUSE_SECONDS)


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, or bring those of an older version up to date. Several processes may do
    so at once."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            _run(connection, _SCHEMA)
        for older in range(version or VERSION, VERSION):
            _run(connection, _UPGRADES[older])
        if version < VERSION:
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise translate(error, path) from error
    if version > VERSION:
        raise DatastoreError(
            f"{path} was written by a newer ZeroG (schema {version}, this one supports {VERSION}): "
            "install that version, or use another file"
        )


def _run(connection: sqlite3.Connection, script: str) -> None:
    for statement in script.split(";\n"):
        if statement.strip():
            connection.execute(statement)


def translate(error: Exception, path: Path) -> DatastoreError:
    """Return our error for SQLite's or the file system's, with what to do about it."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return DatastoreUnavailableError(f"{path} is locked by another process")
    if name.startswith("SQLITE_FULL"):
        return DatastoreUnavailableError(f"the disk of {path} is full: free some space")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return DatastoreError(f"{path} is damaged or not an SQLite file: restore it from a backup")
    if name.startswith("SQLITE_READONLY") or isinstance(error, PermissionError):
        return DatastoreUnavailableError(f"{path} cannot be written: check its owner and mode")
    return DatastoreUnavailableError(f"{path} cannot be used at the moment: {error}")
