"""The channel by which a test steers the server while a client uses it.

POST   /faults    one fault as JSON (see `faults.Fault`)
GET    /faults    the faults that are set, and how many requests each has met
DELETE /faults    let everything go right again
POST   /clock     {"advance": SECONDS}: the server's clock, not the machine's
POST   /index     {"stale": true}: queries without consistency see the documents of now
POST   /query     {"without_index": "scanned", …}: see `query.Behaviour`
POST   /scopes    {"scope": NAME, "collections": [NAME, …], "indexes": [STATEMENT, …]}
POST   /bucket    {"durabilityPossible": false}: durable writes are impossible
POST   /users     {"password": TEXT}: everybody's password
DELETE /connections   cut every client's connection to the data service
"""

import json
from collections.abc import Callable
from dataclasses import asdict

from tests.couchbase.commands import Durability
from tests.couchbase.faults import FaultError, parse_fault
from tests.couchbase.http import HttpRequest, HttpResponse, json_response
from tests.couchbase.query import Behaviour, QueryService
from tests.couchbase.session import Bucket


class Clock:
    """The machine's time, moved by what a test wants."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._offset = 0.0

    def __call__(self) -> float:
        """Return the time in seconds since 1970."""
        return self._now() + self._offset

    def advance(self, seconds: float) -> None:
        """Move on, or back."""
        self._offset += seconds


class Control:
    """Answers a test's requests."""

    def __init__(
        self,
        bucket: Bucket,
        clock: Clock,
        queries: QueryService,
        cut_connections: Callable[[], int],
    ) -> None:
        self._bucket = bucket
        self._clock = clock
        self._queries = queries
        self._cut_connections = cut_connections

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Do what is asked for; 400 with the reason if it makes no sense."""
        try:
            body = json.loads(request.body) if request.body else {}
            return json_response(self._do(f"{request.method} {request.path}", body))
        except (FaultError, ValueError, KeyError, TypeError) as error:
            return json_response({"error": f"{type(error).__name__}: {error}"}, 400)

    def _do(self, what: str, body: dict[str, object]) -> object:
        faults = self._bucket.faults
        match what:
            case "GET /":
                return {"ready": True}
            case "POST /faults":
                faults.add(parse_fault(body))
            case "GET /faults":
                return [asdict(fault) for fault in faults.active]
            case "DELETE /faults":
                faults.clear()
            case "POST /clock":
                self._clock.advance(float(str(body["advance"])))
                if body.get("purge", True):
                    self._bucket.engine.purge()
            case "GET /counters":
                return dict(self._bucket.counters)
            case "DELETE /counters":
                self._bucket.counters.clear()
            case "POST /index":
                self._queries.set_stale(bool(body["stale"]))
            case "POST /query":
                self._queries.behaviour = Behaviour(**body)  # type: ignore[arg-type]
            case "DELETE /prepared":
                self._queries.prepared.clear()
            case "POST /scopes":
                self._queries.create_scope(**body)  # type: ignore[arg-type]
            case "POST /bucket":
                self._bucket.durability = Durability(bool(body["durabilityPossible"]))
            case "POST /users":
                users = self._bucket.users
                users.update(dict.fromkeys(users, str(body["password"])))
            case "DELETE /connections":
                return {"cut": self._cut_connections()}
            case _:
                raise ValueError(f"there is no {what}")
        return {}
