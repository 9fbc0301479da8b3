"""Settings of every ZeroG process: where they come from, what they mean, what they are by default.

`load(cls, environ)` is the only reader of the environment. Every field is read from
`ZEROG_<FIELD>` (or a file named by `ZEROG_<FIELD>_FILE`, for secrets); everything that
is wrong is listed at once, and a `ZEROG_` variable that nobody knows is an error,
because it is a misspelt one.
"""

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from zerog.model.errors import ConfigError

DEFAULT_STORE = "sqlite:///.zerog/zerog.db"
DEFAULT_QUEUE = "127.0.0.1:11300"
DEFAULT_URL = "http://127.0.0.1:8080"
#: Variables with these beginnings belong to tests and scripts, not to settings.
_FOREIGN = ("ZEROG_TEST_", "ZEROG_FUZZ_")


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Settings of `zerog worker`."""

    #: Modules (or paths of .py files) that define the jobs.
    jobs: tuple[str, ...] = ()
    #: Queues to serve; empty: those of the imported jobs.
    queues: tuple[str, ...] = ()
    #: The datastore's URL.
    store: str = DEFAULT_STORE
    #: Address of beanstalkd.
    queue: str = DEFAULT_QUEUE
    #: Jobs that run at the same time, each in a process of its own.
    slots: int = 1
    #: How long running jobs may go on after SIGTERM.
    grace_seconds: float = 30.0
    #: A child is replaced after so many jobs, so that slow leaks stay small.
    max_jobs_per_child: int = 1000
    #: A child is replaced when its resident memory is larger after a job.
    max_child_bytes: int = 512 * 1024 * 1024
    #: Progress and log lines of a job are written at most this often.
    progress_interval_seconds: float = 0.25
    #: How long a job that is asked to cancel may take to notice by itself, before SIGTERM.
    cancel_grace_seconds: float = 5.0
    #: How long it may clean up after SIGTERM, before SIGKILL.
    kill_grace_seconds: float = 5.0
    #: The worker's name; made from host and process by default.
    name: str | None = None
    #: The pool whose retire tokens the worker takes; None outside Kubernetes.
    pool: str | None = None
    #: A file that is there while the worker takes jobs: a readiness probe looks at it.
    ready_file: str | None = None
    #: Where the worker runs, for the record of attempts.
    pod: str | None = None
    node: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Settings of `zerog api`."""

    #: Address and port to listen on; port 0 takes a free one.
    host: str = "127.0.0.1"
    port: int = 8080
    #: The datastore's URL.
    store: str = DEFAULT_STORE
    #: Address of beanstalkd.
    queue: str = DEFAULT_QUEUE
    #: Largest request body.
    max_body_bytes: int = 1024 * 1024
    #: How long requests in flight may take after SIGTERM.
    grace_seconds: float = 10.0
    #: How long an Idempotency-Key is remembered.
    idempotency_seconds: float = 86400.0
    #: How long one write to datastore or queue may take before the answer is 503.
    deadline_seconds: float = 5.0
    #: Who may call: `off` everybody, `tokens` those in a file, `kubernetes` service accounts.
    auth: str = "off"
    #: 1: everybody may call although others than this machine can reach the API.
    allow_open: int = 0
    #: Path of the file of tokens (`auth` is `tokens`).
    tokens: str | None = None
    #: The API server that is asked about tokens and rights (`auth` is `kubernetes`).
    kubernetes_url: str = "https://kubernetes.default.svc"
    #: The namespace whose roles count; by default the pod's own.
    kubernetes_namespace: str | None = None
    #: Where Kubernetes puts the pod's own credentials.
    service_account_path: str = "/var/run/secrets/kubernetes.io/serviceaccount"
    #: Audiences that tokens have to be for; by default the API server's own.
    token_audiences: tuple[str, ...] = ()
    #: 1: /metrics needs no token.
    anonymous_metrics: int = 1
    #: Origins whose pages may call, e.g. https://jobs.example.
    cors_origins: tuple[str, ...] = ()
    #: Requests a second, and at once, of one client where callers are known; 0: without limit.
    rate_per_second: float = 500.0
    rate_burst: float = 1000.0
    #: Requests of one client at the same time, waiting ones included; 0: without limit.
    max_in_flight: int = 1000
    #: Names that the API may be called by, besides loopback's, where it listens on loopback
    #: without authentication: a page's name can be made to resolve there.
    hosts: tuple[str, ...] = ()
    #: Connections in all, and of one address (behind a proxy all clients have the proxy's);
    #: 0: as many as there may be open files, and without limit.
    max_connections: int = 8000
    max_connections_per_client: int = 2000


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Settings of the client and of the commands that use it."""

    #: Where the API is; `zerog dev` leaves a note that is found without this.
    url: str | None = None
    #: Bearer token, where the API asks for one.
    token: str | None = field(default=None, repr=False)
    #: The file it was read from, which is read again when it changes (ZEROG_TOKEN_FILE).
    token_file: str | None = None


@dataclass(frozen=True, slots=True)
class CouchbaseSettings:
    """Settings of every process whose datastore's URL begins with `couchbase`."""

    #: The user's password. A file is read again when it changes.
    couchbase_password: str | None = None
    #: The certificate authority of the servers, for `couchbases:` URLs (PEM).
    couchbase_ca_path: str | None = None
    #: Client certificate and key (PEM), instead of user and password.
    couchbase_cert_path: str | None = None
    couchbase_key_path: str | None = None
    #: How safe accepted and finished jobs are before the answer: `none`, `majority`,
    #: `majority_and_persist_to_active` or `persist_to_majority`.
    couchbase_durability: str = "majority"
    #: How jobs are listed: `query` (SQL++), or `kv` where there is no query service.
    couchbase_listing: str = "query"
    #: `opentelemetry` sends spans and metrics of the SDK's operations by OTLP; else `none`.
    couchbase_telemetry: str = "none"


Settings = TypeVar("Settings")
_ALL: tuple[type, ...] = (WorkerSettings, ApiSettings, ClientSettings, CouchbaseSettings)


def load(cls: type[Settings], environ: Mapping[str, str], **given: Any) -> Settings:
    """Read settings from the environment; what is `given` and not None wins.

    Raises:
        ConfigError: Lists everything that is wrong.
    """
    problems = _unknown(environ, cls)
    values: dict[str, Any] = {}
    hints = get_type_hints(cls)
    for item in fields(cls):  # type: ignore[arg-type]
        if given.get(item.name) is not None:
            values[item.name] = given[item.name]
            continue
        variable = f"ZEROG_{item.name.upper()}"
        try:
            text = _text(environ, variable)
            if text is not None:
                values[item.name] = _parse(text, hints[item.name])
            elif item.default is MISSING:
                problems.append(f"{variable} is not set")
        except (ValueError, OSError) as error:
            problems.append(f"{variable}: {error}")
    if problems:
        raise ConfigError("; ".join(problems))
    return cls(**values)


def _text(environ: Mapping[str, str], variable: str) -> str | None:
    if path := environ.get(f"{variable}_FILE"):
        return Path(path).read_text(encoding="utf-8").strip()
    return environ.get(variable) or None


def _parse(text: str, hint: Any) -> Any:
    if hint == tuple[str, ...]:
        return tuple(part for part in text.replace(",", " ").split() if part)
    kind = next((arg for arg in get_args(hint) if arg is not type(None)), hint)
    if kind in (int, float):
        number = kind(text)
        if number < 0:
            raise ValueError(f"{text} is negative")
        return number
    return text


def _unknown(environ: Mapping[str, str], asked: type) -> list[str]:
    known = {f"ZEROG_{item.name.upper()}" for cls in (*_ALL, asked) for item in fields(cls)}
    known |= {f"{name}_FILE" for name in known}
    return [
        f"{name} is not a setting of ZeroG"
        for name in sorted(environ)
        if name.startswith("ZEROG_") and name not in known and not name.startswith(_FOREIGN)
    ]


def environment() -> Mapping[str, str]:
    """Return the process's environment; the command line calls this once."""
    return os.environ
