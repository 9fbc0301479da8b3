"""A worker that is to go stays while jobs wait that only its version of their type can run.

It stays only if its version has been replaced by one that need not take the jobs' parameters, and
if no worker that stays has it. Then it takes jobs of that version and no others. Of several workers
of the version as many stay as there are jobs for, so that a job which is due in a week keeps one.
All this is asked for each of its queues: workers of other queues cannot take its jobs. A version
that is not registered any more has been replaced, and nobody knows what its jobs' parameters are.

API processes may still accept jobs by a version for some seconds after its last worker was told to
go, so it stays for that time at least.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from zerog.ledger import types
from zerog.ledger.claims import Claimer
from zerog.ledger.workers import GONE_SECONDS, Observer
from zerog.model.documents import TypeDocument, WorkerDocument, version_name
from zerog.model.errors import DatastoreError
from zerog.model.schemas import takes_all
from zerog.store.port import Datastore, QueuedVersion
from zerog.worker.controls import ControlWatch

log = logging.getLogger(__name__)

#: Between two looks at workers and waiting jobs.
LOOK_SECONDS = 3.0
#: Longer than what an API process knows of workers is used, and than a worker that died is listed.
SETTLE_SECONDS = GONE_SECONDS + LOOK_SECONDS
#: Where nothing can be read for this long, e.g. without the right to, the worker goes.
PATIENCE_SECONDS = 120.0
#: Of each version, this many waiting jobs are counted at most.
MAX_COUNTED = 1000


def outdated(
    own: Mapping[str, str],
    queues: Iterable[str],
    registered: Mapping[str, TypeDocument],
    others: Sequence[WorkerDocument],
    beats: Callable[[str], bool],
) -> dict[QueuedVersion, list[WorkerDocument]]:
    """Return the versions here that were replaced by one that may not take their jobs, with each
    queue in which no other worker has them that stays and surely lives; and the others there that
    have the version. Pure.
    """
    found: dict[QueuedVersion, list[WorkerDocument]] = {}
    for queue, (name, version) in itertools.product(queues, own.items()):
        if name not in registered:
            continue
        there = [each for each in others if queue in each.queues]
        peers = [each for each in there if each.takes.get(name) == version]
        staying = [each for each in there if each.state != "draining"]
        schemas = {each.schema_hash: each.schema for each in registered[name].versions}
        served = {each.takes.get(name, "") for each in staying} | {registered[name].schema_hash}
        newer = (served & schemas.keys()) - {version}
        if not newer:
            continue
        if any(each in staying and beats(each.name) for each in peers):
            continue
        known = schemas.get(version)  # of too many versions some are dropped
        if known is None or not any(takes_all(schemas[each], known) for each in newer):
            found[queue, name, version] = peers
    return found


async def linger(
    store: Datastore,
    name: str,
    queues: Sequence[str],
    claimer: Claimer,
    controls: ControlWatch,
    changed: Callable[[], None],
) -> None:
    """Return when the worker of this name and these queues may go; it takes no more jobs then.

    While somebody lets it drain it takes none in any case, so it goes.

    `changed` is called when what it takes has changed.
    """
    versions = claimer.takes
    began, observer = time.monotonic(), Observer()
    last_answer = began
    said: dict[str, str] = {}
    while not controls.draining:
        settled = time.monotonic() - began >= SETTLE_SECONDS
        needed = None
        try:
            needed = await _needed(store, observer, name, versions, queues, settled)
        except DatastoreError as error:
            log.warning("retiring: whether jobs wait for this worker cannot be read: %s", error)
        except Exception:  # jobs run on, whatever a document holds
            log.exception("retiring: whether jobs wait for this worker cannot be told")
        if needed is None:
            if time.monotonic() - last_answer >= PATIENCE_SECONDS:
                return  # they stay jobs that wait, and say for what
        else:
            last_answer = time.monotonic()
            if needed and needed != said:
                told = ", ".join(version_name(*each) for each in needed.items())
                log.info("retiring: jobs of %s may wait for this worker", told)
                said = needed
            before, claimer.takes = claimer.takes, needed
            if needed != before:
                changed()
            if not needed:
                return
        await asyncio.sleep(LOOK_SECONDS)


async def _needed(
    store: Datastore,
    observer: Observer,
    me: str,
    own: Mapping[str, str],
    queues: Sequence[str],
    settled: bool,
) -> dict[str, str]:
    registered = await types.read_some(store, own)
    if all(registered[name].schema_hash == own[name] for name in own if name in registered):
        return {}  # as in most rollouts: nothing was replaced
    living = await observer.living(store, time.monotonic())
    others = [worker for worker in living if worker.name != me]
    replaced = outdated(own, queues, registered, others, observer.has_seen_beating)
    if not settled or not replaced:
        return {name: version for _, name, version in replaced}
    counts = await store.count_waiting(list(replaced), limit=MAX_COUNTED)
    return {
        name: version
        for (queue, name, version), peers in replaced.items()
        if counts[queue, name, version] > sum(each.slots for each in peers if each.name < me)
    }
