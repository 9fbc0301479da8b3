"""Names that are made from what users write: tubes, workers and Idempotency-Keys.

Always valid, no collisions: a queue's tube, a pool's retire tube and a process's mailbox have
prefixes of their own, and what follows is checked, not escaped, so that `beanstalkd`'s own tools
show the names that people know.
"""

import hashlib
import os
import re
import secrets
import socket
from functools import lru_cache

from zerog.model.errors import InvalidTubeNameError

QUEUE_PREFIX = "zerog."
RETIRE_PREFIX = "zerog-retire."
MAILBOX_PREFIX = "zerog-mailbox."
#: What a queue or pool may be called.
NAME_PATTERN = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"
MAX_QUEUE_NAME = 64
_NAME = re.compile(NAME_PATTERN)
#: A worker's name is part of documents' keys.
MAX_WORKER_NAME = 100
_PROCESS_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_WORKER_NAME - 1}}}")
#: The longest Idempotency-Key that the API takes; a header is bytes.
MAX_IDEMPOTENCY_KEY_BYTES = 255


def is_queue_name(name: str) -> bool:
    """Whether a queue or pool may have this name."""
    return _NAME.fullmatch(name) is not None


def check_queue_name(name: str) -> str:
    """Return the name if a queue or pool may have it. `InvalidTubeNameError` says the rule."""
    if not is_queue_name(name):
        raise InvalidTubeNameError(
            f"{name!r} cannot be a queue's name: use 1 to 64 of a-z, 0-9, '.', '_', '-', "
            "beginning and ending with a letter or digit"
        )
    return name


def is_worker_name(name: str) -> bool:
    """Whether a worker may have this name."""
    return _PROCESS_NAME.fullmatch(name) is not None


def check_idempotency_key(key: str) -> str:
    """Return the key if a header can carry it. `ValueError` says the rule."""
    printable = key.isprintable() and key == key.strip()
    if not printable or not 0 < len(key.encode()) <= MAX_IDEMPOTENCY_KEY_BYTES:
        raise ValueError(
            f"{key!r} cannot be an Idempotency-Key: use printable characters, at most "
            f"{MAX_IDEMPOTENCY_KEY_BYTES} bytes of UTF-8, without a space at either end"
        )
    return key


@lru_cache(maxsize=1024)  # a slot asks at each turn, the API at each POST
def tube_name(queue: str) -> str:
    """Return the tube of a queue."""
    return QUEUE_PREFIX + check_queue_name(queue)


def retire_tube_name(pool: str) -> str:
    """Return the tube of a pool's retire tokens."""
    return RETIRE_PREFIX + check_queue_name(pool)


def mailbox_tube_name(process: str) -> str:
    """Return the tube that one worker or API replica hears.

    Its name stands in documents that anybody may have written, so that every name gets a tube: one
    that does not fit is hashed, with a `+` that no other has.
    """
    if _PROCESS_NAME.fullmatch(process) is None:
        digest = hashlib.sha256(process.encode("utf-8", "replace")).hexdigest()
        return f"{MAILBOX_PREFIX}+{digest}"
    return MAILBOX_PREFIX + process


def queue_of_tube(tube: str) -> str | None:
    """Return the queue that a tube belongs to, None if it is not a queue's.

    Anybody can make a tube: one with our prefix and a name that no queue may have is not ours.
    """
    name = tube.removeprefix(QUEUE_PREFIX)
    return name if name != tube and is_queue_name(name) else None


def worker_name() -> str:
    """Make a name for this process: it says where it runs, and no other process ever has it."""
    suffix = f"-{os.getpid()}-{secrets.token_hex(3)}"
    return socket.gethostname()[: MAX_WORKER_NAME - len(suffix)] + suffix
