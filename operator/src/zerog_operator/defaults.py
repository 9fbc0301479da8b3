"""What every worker pod gets beside its pool's template: a partial template of the installation.

It is the place for what all pools of an installation share, e.g. how queue and datastore are
reached or a security context: a PodTemplateSpec's `spec` of which any part may be missing, with at
most one container, named worker. What a pool's template says itself wins. The two are joined before
anything else looks at the template, so that a change here rolls workers as a change there does.

What neither says is the operator's own: resources, and no token of a service account.
"""

import copy
import json
from collections.abc import Mapping
from typing import Any

from zerog.model.errors import ConfigError
from zerog_operator import names
from zerog_operator.settings import OperatorSettings

#: What a worker gets that asks for nothing: without requests it is the first to be evicted and
#: counts nothing for the scheduler and quotas; without a limit one job's leak takes its node.
RESOURCES: Mapping[str, Any] = {
    # An idle worker with its processes needs less than half of it.
    "requests": {"cpu": "100m", "memory": "256Mi"},
    # None for the processor: it would only slow down jobs on a node that has nothing else to do.
    "limits": {"memory": "1Gi"},
}
#: Mappings whose keys are joined: a template that sets one key of a security context does not mean
#: to give up the others.
_JOINED_KEYS = frozenset({"securityContext"})
#: Lists that are joined, and what tells their items apart; everything else is taken as a whole.
_JOINED: dict[str, str | None] = {
    "volumes": "name",
    "imagePullSecrets": "name",
    "tolerations": None,
    "env": "name",
    "envFrom": None,
    "volumeMounts": "mountPath",
}


def parse_defaults(text: str | None) -> Mapping[str, Any]:
    """Read the setting, the JSON of a pod's `spec`; empty without one.

    Raises:
        ConfigError: It is no JSON object, or has other containers than one named worker.
    """
    if text is None:
        return {}
    try:
        spec = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"ZEROG_WORKER_DEFAULTS is not JSON: {error}") from error
    if not isinstance(spec, dict):
        raise ConfigError("ZEROG_WORKER_DEFAULTS is not a JSON object")
    containers = spec.get("containers", [])
    if not isinstance(containers, list) or any(
        not isinstance(item, dict) or item.get("name") != names.WORKER_CONTAINER
        for item in containers
    ):
        raise ConfigError("ZEROG_WORKER_DEFAULTS has other containers than one named worker")
    if len(containers) > 1:
        raise ConfigError("ZEROG_WORKER_DEFAULTS has more than one container")
    return spec


def worker_defaults(settings: OperatorSettings) -> Mapping[str, Any]:
    """Return what all workers of an installation get, the queue's address included.

    Raises:
        ConfigError: `worker_defaults` makes no sense.
    """
    defaults = copy.deepcopy(dict(parse_defaults(settings.worker_defaults)))
    if not defaults.get("containers"):
        defaults["containers"] = [{"name": names.WORKER_CONTAINER}]
    address = {"name": "ZEROG_QUEUE", "value": settings.worker_queue or settings.queue}
    _join(defaults["containers"][0], {"env": [address]})
    return defaults


def join_defaults(template: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pool's template with what it leaves out taken from the defaults. Pure."""
    joined = copy.deepcopy(dict(template))
    spec = joined["spec"] = joined.get("spec") or {}
    _join(spec, {key: value for key, value in defaults.items() if key != "containers"})
    for ours in defaults.get("containers", ()):
        for container in spec.get("containers", ()):
            if container.get("name") == names.WORKER_CONTAINER:
                _join(container, ours)
    _add_own(spec)
    return joined


def _add_own(spec: dict[str, Any]) -> None:
    # Jobs rarely call the API server. An account may be named for its other uses: the pull Secrets
    # and a cloud's identity do not need the token.
    if spec.get("automountServiceAccountToken") is None:
        spec["automountServiceAccountToken"] = False
    for container in spec.get("containers", ()):
        if container.get("name") == names.WORKER_CONTAINER:
            _join(container, {"resources": RESOURCES})


def _join(into: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    for key, value in defaults.items():
        if key in _JOINED and into.get(key):
            into[key] = [*into[key], *_missing(into[key], value, _JOINED[key])]
        elif key in _JOINED_KEYS and into.get(key):
            into[key] = {**value, **into[key]}
        elif into.get(key) is None:
            into[key] = copy.deepcopy(value)


def _missing(there: list[Any], defaults: list[Any], key: str | None) -> list[Any]:
    given = there if key is None else [item.get(key) for item in there]
    return [
        copy.deepcopy(item)
        for item in defaults
        if (item if key is None else item.get(key)) not in given
    ]
