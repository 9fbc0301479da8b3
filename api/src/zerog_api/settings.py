"""Settings of the API process, read from `ZEROG_*` as everywhere (`zerog.settings`)."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import NoDecode

from zerog.model.limits import DAY_SECONDS, MAX_KEY_SECONDS
from zerog.settings import (
    AS_LIST,
    SECRET,
    Limit,
    Names,
    PlaceSettings,
    Port,
    Seconds,
    SecretPath,
)
from zerog_api.edge.requests import Logged

#: The server reads no larger body, whatever the setting.
MAX_BODY_BYTES = 64 * 1024 * 1024
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, AS_LIST]


class ApiSettings(PlaceSettings):
    """Settings of `zerog api`."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8080
    """Port to listen on; 0 takes a free one."""
    jobs: Names = ()
    """Modules (or paths of .py files) that define jobs: their classes check parameters, too, before
    a job is accepted. Empty: only the registered schemas do."""
    max_body_bytes: Annotated[int, Field(ge=1, le=MAX_BODY_BYTES)] = 1024 * 1024
    """Largest request body."""
    grace_seconds: Seconds = 10.0
    """How long requests in flight may take after SIGTERM."""
    idempotency_seconds: Annotated[Seconds, Field(le=MAX_KEY_SECONDS)] = DAY_SECONDS
    """How long an Idempotency-Key is remembered: 7 days at most."""
    deadline_seconds: Seconds = 5.0
    """How long one write to datastore or queue may take before the answer is 503."""
    auth: Literal["off", "tokens", "kubernetes"] = "off"
    """Who may call: `off` everybody, `tokens` those in a file, `kubernetes` service accounts."""
    allow_open: bool = False
    """1: everybody may call although others than this machine can reach the API."""
    tokens: SecretPath = None
    """Path of the file of tokens (`auth` is `tokens`)."""
    kubernetes_url: str = "https://kubernetes.default.svc"
    """The API server that is asked about tokens and rights (`auth` is `kubernetes`)."""
    kubernetes_namespace: str | None = None
    """The namespace whose roles count; by default the pod's own."""
    service_account_path: Annotated[str, SECRET] = "/var/run/secrets/kubernetes.io/serviceaccount"
    """Where Kubernetes puts the pod's own credentials."""
    token_audiences: Names = ()
    """Audiences that tokens must be for; by default the API server's own."""
    anonymous_metrics: bool = True
    """1: /metrics needs no token."""
    cors_origins: Names = ()
    """Origins whose pages may call, e.g. https://jobs.example."""
    trusted_proxies: Networks = ()
    """Addresses or networks of proxies in front of the API, e.g. 10.0.0.0/8: who calls is read from
    the X-Forwarded-For header of these, and of nobody else."""
    rate_per_second: Rate = 500.0
    """Requests per second of one client: a caller, or, where everybody may call, an address other
    than this machine's; 0: without limit."""
    rate_burst: Rate = 1000.0
    """Requests at once of one client; 0: without limit."""
    anonymous_rate_per_second: Rate = 50.0
    """Requests per second without a token from one address, where callers are known; 0: without
    limit. Probes are not counted."""
    anonymous_rate_burst: Rate = 200.0
    """Requests at once without a token from one address; 0: without limit."""
    max_in_flight: Limit = 1000
    """Requests of one client at the same time, waiting ones included; 0: without limit."""
    log_requests: Logged = "changes"
    """Which requests are lines of the log: `none`, `changes`, or `all`."""
    hosts: Names = ()
    """Names that the API may be called by, besides loopback's, where it listens on loopback
    without authentication: a page's name can be made to resolve there."""
    max_connections: Limit = 8000
    """Connections in all; 0: as many as there may be open files."""
    max_connections_per_client: Limit = 2000
    """Connections of one address other than a trusted proxy's; 0: without limit."""
    max_unread_bytes: Annotated[int, Field(ge=1024 * 1024, le=2**40)] = 64 * 1024 * 1024
    """What all requests that are not answered yet may hold together. It is never less than four
    times the largest body. Above it the largest unfinished requests are answered 503."""

    @property
    def unread_budget_bytes(self) -> int:
        """The budget of unfinished requests: there is room for some of the largest."""
        return max(self.max_unread_bytes, 4 * self.max_body_bytes)
