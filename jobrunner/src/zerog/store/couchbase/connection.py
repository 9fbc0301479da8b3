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
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

from acouchbase.cluster import AsyncCluster
from couchbase.auth import CertificateAuthenticator, PasswordAuthenticator
from couchbase.exceptions import CouchbaseException
from couchbase.options import ClusterOptions, ClusterTimeoutOptions

from zerog.model import jsontext
from zerog.model.backoff import Backoff
from zerog.model.errors import ConfigError, DatastoreError, DatastoreUnavailableError, ZeroGError
from zerog.privatefile import read_secret
from zerog.settings import CouchbaseSettings
from zerog.store.couchbase import failures
from zerog.store.couchbase.address import Address
from zerog.store.couchbase.telemetry import telemetry_options
from zerog.store.port import COLLECTIONS

log = logging.getLogger(__name__)

T = TypeVar("T")
#: Settings whose files only their owner may read.
_SECRETS = frozenset({"couchbase_password_file", "couchbase_key_path"})
#: Collections beside those of the interface: leases, and the KV-only listing.
LEASES, DIRECTORY = "leases", "directory"
ALL_COLLECTIONS = (*COLLECTIONS, LEASES, DIRECTORY)
#: How often the files of password and certificates are looked at.
ROTATE_SECONDS = 5.0
#: Between tries to connect where nobody has answered yet.
RECONNECT = Backoff(0.5, 5.0)
#: The SDK's flags of a JSON document.
_JSON_FLAGS = 0x02000006


class JsonText:
    """The SDK's transcoder for us: bytes are JSON text already, values become our JSON text."""

    def encode_value(self, value: Any) -> tuple[bytes, int]:
        """Return what is stored for a value."""
        return (value if isinstance(value, bytes) else jsontext.dumps(value)), _JSON_FLAGS

    def decode_value(self, value: bytes, flags: int) -> bytes:
        """Return the text that is stored."""
        return value


class Connection:
    """A cluster to connect to, or connected, and who asks what of it."""

    def __init__(
        self, address: Address, settings: CouchbaseSettings, deadline_seconds: float
    ) -> None:
        self.address = address
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
        self._closed = False

    @classmethod
    async def open(
        cls,
        address: Address,
        settings: CouchbaseSettings,
        deadline_seconds: float,
        *,
        patient: bool = False,
    ) -> Self:
        """Connect. Files that the settings name are read again and again: they may change.

        A `patient` connection to a Couchbase that is away is refused to everybody until it is
        made, which is tried again and again.

        Raises:
            ConfigError: The login or an option is refused.
            DatastoreUnavailableError: Nobody answers in time. Not if `patient`.
        """
        connection = cls(address, settings, deadline_seconds)
        login: Login | None = None
        try:
            login = await connection._connect()
        except DatastoreUnavailableError as error:
            if not patient:
                raise
            connection._away = error
        connection._keeper = asyncio.create_task(connection._keep(login), name="couchbase-keeper")
        return connection

    async def _connect(self) -> "Login":
        """Connect once, and return the login that was used."""
        login = _read_login(self._settings)
        options = _cluster_options(self.address, self._settings, login, self.deadline_seconds)
        cluster: AsyncCluster | None = None
        try:
            cluster = await AsyncCluster.connect(self.address.connection, options)
            bucket = cluster.bucket(self.address.bucket)
            await bucket.on_connect()
        except (CouchbaseException, RuntimeError) as error:
            if cluster is not None:
                await cluster.close()
            raise failures.at_start(error, self.address) from error
        scope = bucket.scope(self.address.scope)
        self.cluster = cluster
        self.collections = {name: scope.collection(name) for name in ALL_COLLECTIONS}
        self._away = None
        return login

    async def _keep(self, login: "Login | None") -> None:
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
        return await asyncio.shield(task)

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

    async def _rotate(self, known: "Login | None") -> None:
        """Log in with the new password or certificate when its file has changed."""
        while True:
            await asyncio.sleep(ROTATE_SECONDS)
            try:
                if (login := _read_login(self._settings)) != known:
                    self.cluster.set_authenticator(
                        _authenticator(self.address, self._settings, login)
                    )
                    known = login
                    log.info("the login of %s was renewed", self.address.connection)
            except (ConfigError, CouchbaseException) as error:
                # A file that is just being replaced; the old login may still be good.
                log.warning("the login of %s stays: %s", self.address.connection, error)


@dataclass(frozen=True, slots=True)
class Login:
    """What the files of a login held when they were read. Two that differ are two logins."""

    password: str | None = field(repr=False)
    #: Authority, certificate and key.
    files: tuple[bytes | None, ...] = field(repr=False)


def _read_login(settings: CouchbaseSettings) -> Login:
    """Read the files that the settings name. `ConfigError`: one cannot be read."""
    password = settings.couchbase_password
    if settings.couchbase_password_file:
        content = _content(settings, "couchbase_password_file") or b""
        password = content.decode(errors="replace").strip() or None
    names = ("couchbase_ca_path", "couchbase_cert_path", "couchbase_key_path")
    return Login(password, tuple(_content(settings, name) for name in names))


def _content(settings: CouchbaseSettings, name: str) -> bytes | None:
    path = getattr(settings, name)
    try:
        if not path:
            return None
        return read_secret(path) if name in _SECRETS else Path(path).read_bytes()
    except ConfigError as error:
        raise ConfigError(f"ZEROG_{name.upper()}: {error}") from error
    except OSError as error:
        raise ConfigError(f"ZEROG_{name.upper()}: {error}") from error


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


def _cluster_options(
    address: Address, settings: CouchbaseSettings, login: Login, deadline_seconds: float
) -> ClusterOptions:
    timeout = timedelta(seconds=deadline_seconds)
    options: dict[str, Any] = {
        "timeout_options": ClusterTimeoutOptions(
            bootstrap_timeout=timeout,
            kv_timeout=timeout,
            kv_durable_timeout=timeout,
            query_timeout=timeout,
            management_timeout=timeout,
        ),
        "transcoder": JsonText(),
        "enable_orphan_reporting": False,
        "enable_app_telemetry": False,
        "log_redaction": True,
    }
    options |= telemetry_options(settings.couchbase_telemetry)
    try:
        return ClusterOptions(_authenticator(address, settings, login), **options)
    except CouchbaseException as error:
        raise failures.at_start(error, address) from error


def _authenticator(address: Address, settings: CouchbaseSettings, login: Login) -> Any:
    ca = settings.couchbase_ca_path
    if settings.couchbase_cert_path or settings.couchbase_key_path:
        if not (settings.couchbase_cert_path and settings.couchbase_key_path):
            raise ConfigError(
                "a client certificate needs ZEROG_COUCHBASE_CERT_PATH and ZEROG_COUCHBASE_KEY_PATH"
            )
        if not address.is_tls:
            raise ConfigError("a client certificate needs TLS: write couchbases://host/bucket")
        return CertificateAuthenticator(
            settings.couchbase_cert_path, settings.couchbase_key_path, ca
        )
    if address.user is None:
        raise ConfigError("the datastore's URL names no user: write couchbase://user@host/bucket")
    if login.password is None:
        raise ConfigError("ZEROG_COUCHBASE_PASSWORD or ZEROG_COUCHBASE_PASSWORD_FILE is not set")
    return PasswordAuthenticator(address.user, login.password, cert_path=ca)
