"""Settings of the operator process, read from `ZEROG_*` as everywhere (`zerog.settings`)."""

from dataclasses import dataclass

from zerog.settings import DEFAULT_QUEUE


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """Settings of `zerog-operator run`."""

    #: Address of beanstalkd, as the operator reaches it.
    queue: str = DEFAULT_QUEUE
    #: The same as workers reach it; by default the operator's.
    worker_queue: str | None = None
    #: What all worker pods get beside their pool's template, see `zerog_operator.defaults`: the
    #: JSON of a partial pod `spec`, e.g. with the datastore's settings and references to Secrets.
    worker_defaults: str | None = None
    #: The datastore for the causes of deaths in attempts' records; None: not recorded there.
    store: str | None = None
    #: Namespaces to watch; empty: all, which needs a ClusterRole.
    namespaces: tuple[str, ...] = ()
    #: Port of /metrics, /healthz and /readyz; 0 takes a free one.
    port: int = 8081
    host: str = "0.0.0.0"
    #: Where the Lease is that makes one replica the active one, and its name.
    lease_namespace: str = "default"
    lease_name: str = "zerog-operator"
    #: 1: each new image is checked by a one-shot `zerog describe` pod before workers use it.
    check_images: int = 1
    #: 1: nodes are watched, so that workers leave cordoned ones (needs to list nodes).
    watch_nodes: int = 1
