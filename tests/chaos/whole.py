"""Hostile values thrown at a whole ZeroG: no number ends a process that jobs share, and none hides
anybody's jobs.

Frames of jobs, signals, stored documents, entries of beanstalkd, requests. After each round worker
and API are the processes that they were, every listing answers, a healthy job ends with its result,
and repair puts back a job whose entry somebody has deleted.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import greenstalk
import httpx
from tests.chaos.decoders import STORED
from tests.chaos.hostile import FORCED, FRAMES, SIGNALS, Hostile
from tests.integration.path.conftest import DEADLINE_SECONDS, JOBS, System, until
from tests.integration.path.test_hostile_entries import HOSTILE, Stranger

from zerog.model.record import new_job_id

#: Of each kind, in one round.
JOBS_EACH, DOCUMENTS_EACH, REQUESTS_EACH, LOOKS_EACH = 10, 40, 30, 10
JSON = {"Content-Type": "application/json"}
LISTINGS = [
    "/readyz", "/v1/jobs", "/v1/jobs?state=queued&limit=500", "/v1/types", "/v1/workers",
    "/v1/queues", "/v1/pools", "/v1/stats", "/openapi.json", "/openapi-3.0.json", "/metrics",
]  # fmt: skip
ABSURD = """
import zerog

class Absurd(zerog.Job):
    class Options:
        backoff_seconds = 5e9

    def run(self, ctx):
        pass
"""


class Fuzzed:
    """A system, and what is thrown at it."""

    def __init__(self, system: System, seed: int) -> None:
        self.system = system
        self.hostile = Hostile(seed)
        absurd = system.folder / "absurd.py"
        absurd.write_text(ABSURD)
        jobs = JOBS.with_name("jobs_hostile.py")
        self.api = system.processes[0]
        self.worker = system.start_worker(str(absurd), "--slots", "2", jobs=jobs)
        self.url = f"http://127.0.0.1:{system.port}"

    def round(self, number: int) -> None:
        """Throw some of everything, and look whether all is as it was."""
        beside, file = self.hold(number)
        lost = self.lose_an_entry()
        self.frames()
        self.signals()
        self.documents({lost, beside})
        self.entries()
        self.requests()
        self.looks()
        self.check(lost)
        file.touch()
        assert self.system.client.result(beside, DEADLINE_SECONDS) == number

    # What is thrown.

    def frames(self) -> None:
        """Jobs that write frames themselves."""
        for _ in range(JOBS_EACH):
            bodies = [self.hostile.body(frame) for frame in self.hostile.some(FRAMES, 3)]
            texts = [body.decode("utf-8", "replace") for body in bodies]
            length = self.hostile.random.choice([None, None, None, 0, 2**31, 2**32 - 1])
            self.system.client.submit("Writes", {"frames": texts, "length": length})

    def signals(self) -> None:
        """Jobs that return and raise what nobody should."""
        for expression in self.hostile.some(SIGNALS, JOBS_EACH):
            self.system.client.submit("Says", {"expression": expression})
        for expression, forced in self.hostile.some(FORCED, JOBS_EACH):
            self.system.client.submit("Says", {"expression": expression, "forced": [forced]})

    def documents(self, spared: set[str]) -> None:
        """Documents of every kind, changed in the datastore and added to it; not those of the jobs
        that have to end well."""
        for n in range(JOBS_EACH):
            self.system.client.submit("Later", {"value": n}, delay=0 if n % 2 else 3600)
        with self._database() as database:
            for collection in ("jobs", "progress", "events", "types", "workers", "stats", "pools"):
                found = database.execute(
                    "SELECT key, body FROM document WHERE collection = ? ORDER BY key", [collection]
                ).fetchall()
                for key, body in self.hostile.some(found, DOCUMENTS_EACH):
                    # The worker registers its types when it starts: the next round needs them.
                    is_type = collection == "types" and not key.startswith("odd")
                    if not is_type and key not in spared:
                        self._write(database, collection, key, self.hostile.body(_read(body)))
            for collection, model in STORED.items():
                for n in range(JOBS_EACH):
                    key = f"queue::odd{n}" if collection == "controls" else f"odd{n}"
                    self._write(database, collection, key, self.hostile.body(model))

    def entries(self) -> None:
        """Entries that no ZeroG has put, with bodies, priorities and delays of every kind."""
        with self._database() as database:
            query = "SELECT key FROM document WHERE collection = 'jobs'"
            uuids = [key.encode() for (key,) in database.execute(query)]
        stranger = Stranger(self.system.beanstalkd.address)
        choose = self.hostile.random.choice
        for body in [*self.hostile.some(uuids, DOCUMENTS_EACH), *HOSTILE, new_job_id().encode()]:
            # Not where an entry is missing: what a stranger adds there hides that for five minutes.
            stranger.say(b"use zerog." + choose([b"default", b"EVIL;$(x)", b"odd"]))
            numbers = (choose([0, 500, 2**32 - 1]), choose([0, 0, 1, 2**32 - 1]), choose([1, 60]))
            stranger.say(b"put %d %d %d %d" % (*numbers, len(body)), body)
        stranger.close()

    def requests(self) -> None:
        """Bodies and query parameters."""
        options = {"priority": 1, "delay": 1.0, "timeout": 1.0, "startAt": "2026-01-01T00:00:00Z"}
        job = {"type": "Healthy", "parameters": {"value": 1}, **options}
        filters = {"filter": {"state": "queued", "type": "Says"}, "limit": 1}
        bodies = [("/v1/jobs:batch", {"jobs": [job]}), ("/v1/jobs:cancel", filters),
                  ("/v1/jobs:retry", filters), ("/v1/jobs/Healthy", {"value": 1})]  # fmt: skip
        names = ["priority", "delay", "timeout", "startAt"]
        queries = [("/v1/jobs", "limit"), ("/v1/jobs", "cursor"), ("/v1/stats", "minutes"),
                   (f"/v1/jobs/{new_job_id()}/progress", "wait")]  # fmt: skip
        with httpx.Client(base_url=self.url, timeout=DEADLINE_SECONDS) as client:
            for _ in range(REQUESTS_EACH):
                path, body = self.hostile.random.choice(bodies)
                query = {self.hostile.random.choice(names): self.hostile.number_text()}
                run = "/v1/jobs/Healthy"
                answers = [
                    client.post(path, content=self.hostile.body(body), headers=JSON),
                    client.post(run, params=query, json={"value": 1}),
                ]
                path, name = self.hostile.random.choice(queries)
                answers.append(client.get(path, params={name: self.hostile.number_text()}))
                for answer in answers:
                    assert answer.status_code < 500, (answer.request.url, answer.text)

    def looks(self) -> None:
        """Looks at jobs whose documents may be bad: those answers may fail, and nothing else."""
        with self._database() as database:
            found = database.execute("SELECT key FROM document WHERE collection = 'jobs'")
            uuids = [key for (key,) in found]
        for uuid in self.hostile.some(uuids, LOOKS_EACH):
            for part in ("", "/info", "/progress", "/data"):
                httpx.get(f"{self.url}/v1/jobs/{uuid}{part}", timeout=DEADLINE_SECONDS)

    # What has to hold.

    def hold(self, number: int) -> tuple[str, Path]:
        """Start a job that runs until a file is made."""
        file = self.system.folder / f"held-{number}"
        uuid = self.system.client.submit("Held", {"value": number, "path": str(file)})
        self.system.running(uuid)
        return uuid, file

    def lose_an_entry(self) -> str:
        """Submit a job that is not due, delete its entry, and return its UUID."""
        uuid = self.system.client.submit("Later", {"value": 0}, delay=3600)
        with self._queue() as queue:
            queue.delete(until(lambda: self._entry_of(queue, uuid), what="the entry"))
        return uuid

    def check(self, lost: str) -> None:
        """Look whether everything is as it was."""
        number = self.hostile.random.randrange(10**9)
        uuid = self.system.client.submit("Healthy", {"value": number})
        assert self.system.client.result(uuid, DEADLINE_SECONDS) == number
        assert (self.api.poll(), self.worker.poll()) == (None, None)
        # Its document was written over: it is whole again with the worker's next beat.
        until(self._is_listed, what="the worker is listed")
        for path in LISTINGS:
            answer = httpx.get(self.url + path, timeout=DEADLINE_SECONDS)
            assert answer.status_code == 200, (path, answer.text)
        with self._queue() as queue:
            until(lambda: self._entry_of(queue, lost), what="the lost entry is put back")

    def _is_listed(self) -> bool:
        return self.worker.pid in [worker["pid"] for worker in self.system.client.workers()]

    def _entry_of(self, queue: greenstalk.Client[bytes], uuid: str) -> int | None:
        """Return the entry of a job that is not due; there may be others before it."""
        newest = int(queue.put(b"probe", delay=2**31))
        queue.delete(newest)
        for number in range(newest, 0, -1):
            with contextlib.suppress(greenstalk.NotFoundError):
                if queue.peek(number).body == uuid.encode():
                    return number
        return None

    @contextlib.contextmanager
    def _queue(self) -> Iterator[greenstalk.Client[bytes]]:
        address = ("127.0.0.1", self.system.beanstalkd.port)
        with greenstalk.Client(address, encoding=None) as queue:
            yield queue

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self.system.store_path, timeout=DEADLINE_SECONDS)
        with contextlib.closing(database), database:
            yield database

    def _write(self, database: sqlite3.Connection, collection: str, key: str, body: bytes) -> None:
        """Write a body as it is; the columns by which jobs are listed stay as they are."""
        changed = database.execute(
            "UPDATE document SET body = ?, revision = abs(random()) "
            "WHERE collection = ? AND key = ?",
            (body, collection, key),
        )
        if not changed.rowcount:
            database.execute(
                "INSERT INTO document (collection, key, body, revision) "
                "VALUES (?, ?, ?, abs(random()))",
                (collection, key, body),
            )


def _read(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
