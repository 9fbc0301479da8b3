"""Where a job's documents are and what the small ones look like. Keys are built here only.

    jobs         <uuid>                       the control document (`zerog.model.record`)
    progress     <uuid>                       {"attempt", "completeness", "updatedTime"}
    events       <uuid>::<attempt>::<chunk>   {"e": {"<seq>": {time, level, message, data?}}}
    blobs        <uuid>::in                   {"parameters": …}
    blobs        <uuid>::out::<attempt>       {"data": …}
    idempotency  <sha-256 of the client's key>  {"uuids": […], "fingerprint"}
    types        <type name>                  what a worker image registered
    workers      <worker name>                {"beat", …}, expires when the worker stops beating
    stats        <minute>                     {"<queue>": {"<count>": n}} , expires
    pools        <namespace>::<pool>          what the operator says of a pool, expires

Log lines are keyed by attempt and sequence number in a map, so that writing one twice is
harmless; a reader finds them all without a counter: it asks for the next chunk until one is
missing.
"""

import hashlib

from zerog.model.record import JobId

#: Larger parameters and outputs go into a blob, so that each state change rewrites little.
INLINE_BYTES = 2048
#: Log lines in one chunk: keeps a chunk well below 256 KiB for usual messages.
EVENTS_PER_CHUNK = 200


def events_key(uuid: JobId, attempt: int, chunk: int) -> str:
    """Return the key of a chunk of log lines; `chunk` counts from 0."""
    return f"{uuid}::{attempt}::{chunk}"


def input_key(uuid: JobId) -> str:
    """Return the key of the parameters' blob."""
    return f"{uuid}::in"


def output_key(uuid: JobId, attempt: int) -> str:
    """Return the key of an output blob: one per attempt, so that a stale one overwrites nothing."""
    return f"{uuid}::out::{attempt}"


def idempotency_key(client_key: str) -> str:
    """Return the key for a client's Idempotency-Key, whatever characters and length that has."""
    return hashlib.sha256(client_key.encode()).hexdigest()
