"""The installations that the tests look at, by rendering them and on an API server."""

from tests.chart.helm import Object

#: Everything that can be on beside SQLite.
EXTRAS: Object = {
    "imagePullSecrets": [{"name": "pull"}],
    "api": {
        "podDisruptionBudget": {"enabled": True},
        "ingress": {"enabled": True, "host": "zerog.example"},
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]},
    },
    "operator": {"podDisruptionBudget": {"enabled": True}},
}
VARIANTS: dict[str, Object] = {
    "default": {},
    "extras": EXTRAS,
    "own-queue": {"beanstalkd": {"enabled": False, "address": "queue.example:11300"}},
    "some-namespaces": {"operator": {"namespaces": ["team-a", "team-b"], "watchNodes": False}},
    "bare": {
        "beanstalkd": {"persistence": {"enabled": False}},
        "sqlite": {"existingClaim": "mine"},
        "networkPolicy": {"enabled": False},
        "rbac": {"create": False},
        "crds": {"install": False},
        "api": {"serviceAccount": {"create": False, "name": "api"}},
        "operator": {"serviceAccount": {"create": False, "name": "operator"}},
    },
}
