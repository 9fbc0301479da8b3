"""Settings of the operator process, read from `ZEROG_*` as everywhere (`zerog.settings`)."""

from zerog.settings import DEFAULT_QUEUE, CouchbaseSettings, Names, Port


class OperatorSettings(CouchbaseSettings):
    """Settings of `zerog-operator run`."""

    queue: str = DEFAULT_QUEUE
    """Address of beanstalkd, as the operator reaches it."""
    worker_queue: str | None = None
    """Address of beanstalkd, as workers reach it; by default the operator's."""
    worker_defaults: str | None = None
    """What all worker pods get in addition to their pool's template, see
    `zerog_operator.defaults`: the JSON of a partial pod `spec`, e.g. with the datastore's settings
    and references to Secrets."""
    store: str | None = None
    """The datastore: causes of deaths are written into attempts' records, pools for the web page,
    and types that no worker knows and times of delayed jobs are read from it. Not set: none of
    this."""
    namespaces: Names = ()
    """Namespaces to watch; empty: all, which needs a ClusterRole."""
    host: str = "0.0.0.0"
    """Address of /metrics, /healthz and /readyz."""
    port: Port = 8081
    """Port of /metrics, /healthz and /readyz; 0 takes a free one."""
    lease_namespace: str = "default"
    """Where the Lease is that makes one replica the active one."""
    lease_name: str = "zerog-operator"
    """The name of that Lease."""
    check_images: bool = True
    """1: each new image is checked by a one-shot `zerog describe` pod before workers use it."""
    watch_nodes: bool = True
    """1: nodes are watched, so that workers leave cordoned ones (needs to list nodes)."""
