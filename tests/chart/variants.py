"""The installations that the tests look at, by rendering them and on an API server."""

import yaml

from zerog_tools.chart.helm import Object, join
from zerog_tools.repository import CHART

#: Everything that can be on whatever the datastore is.
EXTRAS: Object = {
    "imagePullSecrets": [{"name": "pull"}],
    "commonLabels": {"team": "media"},
    "api": {
        "podDisruptionBudget": {"enabled": True},
        "priorityClassName": "system-cluster-critical",
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
             "whenUnsatisfiable": "ScheduleAnyway"},
        ],
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
        "ingress": {
            "enabled": True,
            "hosts": [{"host": "zerog.example", "tlsSecret": "zerog-tls"},
                      {"host": "other.example", "tlsSecret": "other-tls"}],
        },
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]},
    },
    "operator": {"podDisruptionBudget": {"enabled": True}},
    "networkPolicy": {
        "apiFrom": [{"namespaceSelector": {}}],
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"purpose": "metrics"}}}],
        "egress": {"enabled": True},
    },
    "metrics": {
        "serviceMonitor": {"enabled": True},
        "podMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboard": {"enabled": True},
    },
}  # fmt: skip
COUCHBASE: Object = {
    "datastore": "couchbase",
    "couchbase": {
        "connectionString": "couchbases://cb.example?network=default",
        "existingSecret": "cb",
        "caSecret": "cb-ca",
        "objects": {"enabled": True},
    },
    "api": {"replicas": 3},
}
#: Workers sign in as somebody else.
WORKERS: Object = join(
    COUCHBASE, {"couchbase": {"workers": {"username": "w", "existingSecret": "cb-workers"}}}
)
DEVELOPMENT: Object = {
    "datastore": "couchbase",
    "couchbase": {"development": {"enabled": True}, "password": "not-a-secret"},
}
TOKENS: Object = {
    "auth": {"mode": "tokens", "existingSecret": "tokens"},
    "selfTest": {"existingSecret": "token"},
}
BARE: Object = {
    "beanstalkd": {"persistence": {"enabled": False}},
    "sqlite": {"existingClaim": "mine"},
    "networkPolicy": {"enabled": False},
    "rbac": {"create": False},
    "crds": {"install": False},
    "api": {"serviceAccount": {"create": False, "name": "api"}},
    "operator": {"serviceAccount": {"create": False, "name": "operator"}},
}
VARIANTS: dict[str, Object] = {
    "default": {},
    "extras": EXTRAS,
    "couchbase": COUCHBASE,
    "couchbase-workers": WORKERS,
    "couchbase-all": join(COUCHBASE, EXTRAS, {"api": {"autoscaling": {"enabled": True}}}),
    "own-queue": {"beanstalkd": {"enabled": False, "address": "queue.example:11300"}},
    "some-namespaces": join(
        COUCHBASE, {"operator": {"namespaces": ["team-a", "team-b"], "watchNodes": False}}
    ),
    "cluster-wide": join(COUCHBASE, {"operator": {"clusterWide": True}}),
    "cluster-wide-unchecked": {
        "operator": {"clusterWide": True, "admissionPolicy": {"enabled": False}}
    },
    "tokens": TOKENS,
    "open": {"auth": {"mode": "off"}},
    "bare": BARE,
}
VARIANTS |= {
    f"example-{path.stem}": yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((CHART / "examples").glob("*.yaml"))
}
