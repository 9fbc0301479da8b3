"""A Couchbase of the tests as a process: start, stop, kill, freeze, and what goes wrong in it.

    with CouchbaseServer(tmp_path) as server:
        server.add_fault(action="close", applied=True, opcode="MUTATE_IN")
        ... Cluster.connect(server.connection, ...) ...

It keeps its ports over a restart, and its documents too.
"""

import base64
import contextlib
import http.client
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.couchbase.cluster_map import LOOPBACK

from zerog_tools.cluster.ports import free_port
from zerog_tools.cluster.process import ServerProcess, Startable

if TYPE_CHECKING:
    from zerog_tools.cluster.authority import Certificate

_START_SECONDS = 20.0
_CONTROL_SECONDS = 10.0


class CouchbaseServer(Startable):
    """The server; `start` it, or use it as a context manager. With a certificate it speaks TLS
    too, on a port of its own."""

    bucket = "zerog"
    user = "zerog"

    def __init__(
        self,
        folder: Path,
        *options: str,
        host: str = LOOPBACK,
        password: str = "secret",
        certificate: "Certificate | None" = None,
    ) -> None:
        self.host, self.password = host, password
        folder.mkdir(parents=True, exist_ok=True)
        self.kv, self.management, self.query, self.control = (free_port() for _ in range(4))
        self._ready_file = folder / "couchbase.ready"
        command = [sys.executable, "-m", "tests.couchbase.server", *options, "--host", host]
        command += ["--password", password, "--port", str(self.kv)]
        command += ["--management-port", str(self.management)]
        command += ["--query-port", str(self.query), "--control-port", str(self.control)]
        if certificate is not None:
            self.tls, management, query = (free_port() for _ in range(3))
            command += ["--tls-port", str(self.tls), "--tls-management-port", str(management)]
            command += ["--tls-query-port", str(query), "--tls-key", str(certificate.key)]
            command += ["--tls-certificate", str(certificate.path)]
        command += ["--journal", str(folder / "couchbase.journal")]
        command += ["--ready-file", str(self._ready_file)]
        self._process = ServerProcess("couchbase", command, folder / "couchbase.log")

    @property
    def connection(self) -> str:
        """The connection string for the SDK."""
        return f"couchbase://{self.host}:{self.kv}"

    def url(self, scope: str = "zerog") -> str:
        """Return the datastore's URL; the password goes by itself."""
        return f"couchbase://{self.user}@{self.host}:{self.kv}/{self.bucket}/{scope}"

    def tls_url(self, scope: str = "zerog", *, user: str | None = user) -> str:
        """Return the datastore's URL for TLS; a certificate names the user by itself."""
        login = f"{user}@" if user is not None else ""
        return f"couchbases://{login}{self.host}:{self.tls}/{self.bucket}/{scope}"

    @property
    def pid(self) -> int | None:
        """The id of the process; None when it does not run."""
        return self._process.pid

    def start(self) -> None:
        """Start it, again with what was stored before, and return once it serves."""
        self._ready_file.unlink(missing_ok=True)
        self._process.start_until(self._ready_file.exists, _START_SECONDS)

    def stop(self) -> None:
        """End it in order. Idempotent."""
        self._process.stop()

    def kill(self) -> None:
        """End it as a crash would. Idempotent."""
        self._process.kill()

    def freeze(self) -> None:
        """Let it do nothing and answer nothing, its connections staying open."""
        self._process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.signal(signal.SIGCONT)

    def add_fault(self, action: str, **details: object) -> None:
        """Set a fault: see `tests.couchbase.faults.Fault` for the details."""
        self._ask("POST", "/faults", {"action": action, **details})

    def clear_faults(self) -> None:
        """Let everything go right again."""
        self._ask("DELETE", "/faults")

    def count_faults(self) -> int:
        """Return how many requests the faults that are set have met."""
        found = self._ask("GET", "/faults")
        assert isinstance(found, list)
        return sum(fault["met"] for fault in found)

    def advance_clock(self, seconds: float, *, purge: bool = True) -> None:
        """Let time pass for the server: documents expire, locks end.

        Without `purge` what expired stays in the index, as it does on a real server for minutes.
        """
        self._ask("POST", "/clock", {"advance": seconds, "purge": purge})

    def counters(self) -> dict[str, int]:
        """Return how many requests have come since the last reset, by opcode and `QUERY`."""
        found = self._ask("GET", "/counters")
        assert isinstance(found, dict)
        return found

    def reset_counters(self) -> None:
        """Count from 0."""
        self._ask("DELETE", "/counters")

    def make_index_stale(self, stale: bool = True) -> None:
        """Let queries that do not ask for consistency see the documents as they are now."""
        self._ask("POST", "/index", {"stale": stale})

    def behave(self, **how: object) -> None:
        """Plan queries so, for such a user: see `tests.couchbase.query.Behaviour`."""
        self._ask("POST", "/query", how)

    def forget_prepared(self) -> None:
        """Let the query service forget what clients have prepared, as a restart does."""
        self._ask("DELETE", "/prepared")

    def make_durability_possible(self, possible: bool) -> None:
        """Let durable writes be possible or not, as with replicas that are there or gone."""
        self._ask("POST", "/bucket", {"durabilityPossible": possible})

    def change_password(self, password: str) -> None:
        """Let only another password log in; who is logged in stays."""
        self._ask("POST", "/users", {"password": password})

    def cut_connections(self) -> int:
        """Cut all connections to the data service; return how many there were."""
        found = self._ask("DELETE", "/connections")
        assert isinstance(found, dict)
        return int(found["cut"])

    def create_collections(self, scope: str, *names: str, indexes: Sequence[str] = ()) -> None:
        """Create a scope, collections and, by statements, indexes, all by one request."""
        self._ask("POST", "/scopes", {"scope": scope, "collections": names, "indexes": indexes})

    def drop_collection(self, scope: str, name: str) -> None:
        """Drop a collection, as an administrator would."""
        path = f"/pools/default/buckets/{self.bucket}/scopes/{scope}/collections/{name}"
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {login}"}
        status, body = _send(self.host, self.management, "DELETE", path, None, headers)
        if status != 200:
            raise AssertionError(f"{path} answered {status}: {body!r}")

    def _ask(self, method: str, path: str, body: object = None) -> object:
        text = None if body is None else json.dumps(body)
        status, answer = _send(LOOPBACK, self.control, method, path, text, {})
        if status != 200:
            raise ValueError(f"the test Couchbase refused {method} {path}: {answer!r}")
        return json.loads(answer)


def _send(
    host: str, port: int, method: str, path: str, body: str | None, headers: dict[str, str]
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=_CONTROL_SECONDS)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
