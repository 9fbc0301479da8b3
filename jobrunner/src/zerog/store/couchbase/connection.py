"""One cluster object of the SDK: made in the process and the loop that use it, and ended once.

A cluster object that is used in a forked child hangs for ever, and one that is used from
another loop fails in odd ways; so both are refused. The SDK has two more traps. An
operation whose awaiting task was cancelled brings an error into the loop's handler when
its answer comes, and is done all the same: so each runs in a task of its own, which nobody
cancels (`run`). And its tracer and meter cost as much as an operation: they are off
unless OpenTelemetry is asked for.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self, TypeVar

from acouchbase.bucket import AsyncBucket
from acouchbase.cluster import AsyncCluster
from couchbase.exceptions import CouchbaseException

from zerog.model.backoff import Backoff
from zerog.model.errors import (
    AmbiguousWriteError,
    ConfigError,
    DatastoreError,
    DatastoreUnavailableError,
    ZeroGError,
)
from zerog.settings import CouchbaseSettings
from zerog.store.couchbase import failures
from zerog.store.couchbase.address import Address
from zerog.store.couchbase.login import Login, authenticator, read_login
from zerog.store.couchbase.options import cluster_options
from zerog.store.port import COLLECTIONS

log = logging.getLogger(__name__)

T = TypeVar("T")
#: Collections beside those of the interface: leases, and the KV-only listing.
LEASES, DIRECTORY = "leases", "directory"
ALL_COLLECTIONS = (*COLLECTIONS, LEASES, DIRECTORY)
#: How often the files of password and certificates are looked at.
ROTATE_SECONDS = 5.0
#: The look for the collections: any document, and so little time that the SDK does not pause before
#: it gives up.
_ANY_KEY, _LOOK_TIME = "ready", timedelta(seconds=0.5)
#: Between tries to connect where nobody has answered yet.
RECONNECT = Backoff(0.5, 5.0)


class Connection:
    """A cluster to connect to, or connected, and who asks what of it."""

    def __init__(
        self,
        address: Address,
        settings: CouchbaseSettings,
        deadline_seconds: float,
        *,
        bare: bool = False,
    ) -> None:
        self.address = address
        self._bare = bare
        self.deadline_seconds = deadline_seconds
        #: The SDK's, once it is connected; what runs in `run` finds them.
        self.cluster: AsyncCluster
        self.collections: dict[str, Any] = {}
        self._settings = settings
        self._pid = os.getpid()
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        #: Waits for Couchbase, then looks after the login.
        self._keeper: asyncio.Task[None] | None = None
        #: Why there is no connection yet.
        self._away: ZeroGError | None = None
        #: Whether a call has failed since the last look for why, and what that look has shown.
        self._failed = False
        self._refusal = ""
        self._closed = False

    @classmethod
    async def open(
        cls,
        address: Address,
        settings: CouchbaseSettings,
        deadline_seconds: float,
        *,
        patient: bool = False,
        bare: bool = False,
    ) -> Self:
        """Connect. Files that the settings name are read again and again: they may change.

        A `patient` connection to a Couchbase that is away is refused to everybody until it is
        made, which is tried again and again. With `bare` the scope and its collections need not
        exist yet.

        Raises:
            ConfigError: The login or an option is refused.
            DatastoreUnavailableError: Nobody answers in time, or there are no collections. Not if
                `patient`.
        """
        connection = cls(address, settings, deadline_seconds, bare=bare)
        login: Login | None = None
        try:
            login = await connection._connect()
        except DatastoreUnavailableError as error:
            if not patient:
                raise
            connection._away = error
        connection._keeper = asyncio.create_task(connection._keep(login), name="couchbase-keeper")
        return connection

    async def _connect(self) -> Login:
        """Connect once, and return the login that was used."""
        login = read_login(self._settings)
        cluster, bucket = await self._reach(login)
        scope = bucket.scope(self.address.scope)
        collections = {name: scope.collection(name) for name in ALL_COLLECTIONS}
        if not self._bare and await is_missing(collections["jobs"]):
            await cluster.close()
            raise failures.no_collections(self.address)
        self.cluster, self.collections = cluster, collections
        self._away = None
        return login

    async def _reach(self, login: Login) -> tuple[AsyncCluster, AsyncBucket]:
        """Return a new cluster object that is connected to the bucket."""
        options = cluster_options(self.address, self._settings, login, self.deadline_seconds)
        cluster: AsyncCluster | None = None
        try:
            cluster = await AsyncCluster.connect(self.address.connection, options)
            bucket = cluster.bucket(self.address.bucket)
            await bucket.on_connect()
        except (CouchbaseException, RuntimeError) as error:
            if cluster is not None:
                await cluster.close()
            raise failures.at_start(error, self.address) from error
        return cluster, bucket

    async def _keep(self, login: Login | None) -> None:
        tries = 0
        while self._away is not None:
            tries += 1
            pause = RECONNECT.pause(tries)
            log.warning("waiting for the datastore: %s; next try in %.1f s", self._away, pause)
            await asyncio.sleep(pause)
            try:
                login = await self._connect()
                log.info("connected to %s", self.address.connection)
            except ZeroGError as error:
                # A refused login too: a server that starts does not know its users yet.
                self._away = DatastoreUnavailableError(str(error))
        await self._rotate(login)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something with the cluster. Who awaits it may be cancelled; the work goes on."""
        if self._closed or os.getpid() != self._pid:
            work.close()
            why = "is closed" if self._closed else "was opened before a fork: open it anew"
            raise DatastoreUnavailableError(f"{self.address.connection} {why}")
        if asyncio.get_running_loop() is not self._loop:
            work.close()
            raise DatastoreError("a datastore is used from the loop that opened it")
        if self._away is not None:
            work.close()
            raise DatastoreUnavailableError(str(self._away))
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            done = await asyncio.shield(task)
        except (DatastoreUnavailableError, AmbiguousWriteError) as error:
            self._failed = True
            if self._refusal:
                raise type(error)(f"{error}; {self._refusal}") from error
            raise
        self._refusal = ""
        return done

    async def close(self) -> None:
        """Finish what is under way and disconnect. Idempotent."""
        if self._closed or os.getpid() != self._pid:
            return
        self._closed = True
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        if self._away is None:
            with contextlib.suppress(CouchbaseException):
                await self.cluster.close()

    async def _rotate(self, known: Login | None) -> None:
        """Log in with the new password or certificate when its file has changed."""
        while True:
            await asyncio.sleep(ROTATE_SECONDS)
            try:
                if (login := read_login(self._settings)) != known:
                    self.cluster.set_authenticator(
                        authenticator(self.address, self._settings, login)
                    )
                    known = login
                    log.info("the login of %s was renewed", self.address.connection)
                elif self._failed:
                    await self._find_refusal(login)
            except (ConfigError, CouchbaseException) as error:
                # A file that is just being replaced; the old login may still be good.
                log.warning("the login of %s stays: %s", self.address.connection, error)

    async def _find_refusal(self, login: Login) -> None:
        """Find out whether calls fail because the login is refused.

        The SDK does not say so: it connects again and again until a call's time is over.
        """
        self._failed = False
        refusal = ""
        try:
            cluster, _ = await self._reach(login)
            await cluster.close()
        except ConfigError as error:
            refusal = str(error)
        except DatastoreUnavailableError:
            pass  # nobody answers, which the calls' own errors say
        if refusal and refusal != self._refusal:
            log.warning("%s", refusal)
        self._refusal = refusal


async def is_missing(collection: Any) -> bool:
    """Whether the server answers that it knows no such collection, which the SDK takes for
    something that passes.

    The list of collections does not say: whoever may only read and write documents finds it empty.
    """
    try:
        await collection.get(_ANY_KEY, timeout=_LOOK_TIME)
    except (CouchbaseException, RuntimeError) as error:
        return failures.is_no_collection(error)
    return False


@dataclass(slots=True)
class Deadline:
    """How long one call of the interface may still take."""

    ends: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        return self.ends - time.monotonic()

    def share(self) -> timedelta:
        """Return the time for the next try of a write: half of what is left, so that a lost
        answer can be looked up; a last try gets all."""
        left = self.left
        if left <= 2 * _TRY_SECONDS:
            return self.all()
        return timedelta(seconds=left / 2)

    def all(self) -> timedelta:
        """Return all the time that is left."""
        return timedelta(seconds=max(self.left, _LEAST_SECONDS))


#: No try but the last is shorter: the answer of a busy server takes some time.
_TRY_SECONDS, _LEAST_SECONDS = 1.0, 0.1
