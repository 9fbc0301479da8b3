"""Keeps documents, collections and indexes over a restart: every change is one line of a file.

The file outlives a killed process, not a power failure: nothing is synced. A last line that
was cut short is left out.
"""

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

from tests.couchbase.engine import Address, Document, Engine
from tests.couchbase.indexes import Index, Indexes
from tests.couchbase.manifest import Collection, Manifest
from tests.couchbase.sqlpp import Keyspace


class Journal:
    """Writes the changes of an engine to a file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note_document(self, address: Address, document: Document | None) -> None:
        """Write what is at an address now."""
        self._write({"at": [address.collection, _encode(address.key)], "is": _dump(document)})

    def note_definitions(self, manifest: Manifest, indexes: Indexes) -> None:
        """Write the collections and indexes that there are now."""
        collections = [
            [c.number, c.scope, c.name, c.max_ttl] for c in manifest.collections.values()
        ]
        self._write(
            {
                "uid": manifest.uid,
                "scopes": manifest.scopes,
                "collections": collections,
                "next": manifest.next_number,
                "indexes": [
                    [i.name, astuple(i.keyspace), i.keys, i.online_at, i.where] for i in indexes.all
                ],
            }
        )

    def _write(self, entry: dict[str, object]) -> None:
        os.write(self._file, json.dumps(entry).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def replay(path: Path, engine: Engine, indexes: Indexes) -> None:
    """Bring an empty engine to the state that the file tells of; no file is no state."""
    for entry in _read(path):
        if "at" in entry:
            collection, key = entry["at"]
            engine.restore(Address(collection, base64.b64decode(key)), _load(entry["is"]))
        else:
            manifest = engine.manifest
            manifest.uid, manifest.next_number = entry["uid"], entry["next"]
            manifest.scopes = entry["scopes"]
            manifest.collections = {item[0]: Collection(*item) for item in entry["collections"]}
            indexes.all = [
                Index(name, Keyspace(*keyspace), tuple(keys), online_at, where)
                for name, keyspace, keys, online_at, where in entry["indexes"]
            ]


def _read(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield json.loads(line)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _dump(document: Document | None) -> list[object] | None:
    if document is None:
        return None
    return [
        _encode(document.value),
        document.cas,
        document.flags,
        document.expiry,
        document.seqno,
        document.datatype,
    ]


def _load(fields: list[Any] | None) -> Document | None:
    if fields is None:
        return None
    value, cas, flags, expiry, seqno, datatype = fields
    body = base64.b64decode(value)
    return Document(body, cas, flags, expiry, seqno, datatype=datatype)
