"""`values.schema.json`, made of the values and of what is known about some of them.

An unknown key is refused at every level: types follow from the defaults, and pieces that are
Kubernetes' own list Kubernetes' keys.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from zerog_tools.chart.values import Path_, Value
from zerog_tools.repository import CHART

Schema = dict[str, Any]

_STRINGS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_FREE: Schema = {"type": "object"}
_TEXT: Schema = {"type": "string", "minLength": 1}


def _keys(*names: str, **more: Schema) -> Schema:
    properties: dict[str, Schema] = {name: {} for name in names} | more
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _admission_rules() -> list[str]:
    text = (CHART / "files/admission-rules.yaml").read_text(encoding="utf-8")
    return [rule["name"] for rule in yaml.safe_load(text)]


_QUANTITIES: Schema = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
_PEERS = _list(_keys("ipBlock", "namespaceSelector", "podSelector"))
#: By the whole path, because the last key says too little.
_PLACES: dict[Path_, Schema] = {
    ("networkPolicy", "egress", name): _PEERS for name in ("apiServer", "couchbase", "beanstalkd")
}
#: By the last key of a path: pieces whose keys are Kubernetes' own.
_PIECES: dict[str, Schema] = {
    "nodeSelector": _STRINGS,
    "podAnnotations": _STRINGS,
    "podLabels": _STRINGS,
    "annotations": _STRINGS,
    "labels": _STRINGS,
    "resources": _keys("claims", requests=_QUANTITIES, limits=_QUANTITIES),
    "securityContext": _keys(
        "allowPrivilegeEscalation", "appArmorProfile", "capabilities", "privileged", "procMount",
        "readOnlyRootFilesystem", "runAsGroup", "runAsNonRoot", "runAsUser", "seLinuxOptions",
        "seccompProfile", "windowsOptions",
    ),
    "podSecurityContext": _keys(
        "appArmorProfile", "fsGroup", "fsGroupChangePolicy", "runAsGroup", "runAsNonRoot",
        "runAsUser", "seLinuxChangePolicy", "seLinuxOptions", "seccompProfile",
        "supplementalGroups", "supplementalGroupsPolicy", "sysctls", "windowsOptions",
    ),
    "affinity": _keys("nodeAffinity", "podAffinity", "podAntiAffinity"),
    "topologySpreadConstraints": _list({
        **_keys("labelSelector", "matchLabelKeys", "maxSkew", "minDomains", "nodeAffinityPolicy",
                "nodeTaintsPolicy", "topologyKey", "whenUnsatisfiable"),
        "required": ["maxSkew", "topologyKey", "whenUnsatisfiable"]}),
    "extraVolumes": _list({"type": "object", "required": ["name"]}),
    "extraVolumeMounts": _list({
        **_keys("mountPath", "mountPropagation", "name", "readOnly", "recursiveReadOnly",
                "subPath", "subPathExpr"),
        "required": ["name", "mountPath"]}),
    "tolerations": _list(_keys("key", "operator", "value", "effect", "tolerationSeconds")),
    "extraEnv": _list({**_keys("valueFrom", name=_TEXT, value={"type": "string"}),
                       "required": ["name"]}),
    "imagePullSecrets": _list({**_keys(name=_TEXT), "required": ["name"]}),
    "parentRefs": _list({**_keys("group", "kind", "name", "namespace", "port", "sectionName"),
                         "required": ["name"]}),
    "hostnames": _list(_TEXT),
    "hosts": _list({**_keys(host=_TEXT, tlsSecret={"type": "string"}), "required": ["host"]}),
    "namespaces": _list(_TEXT),
    "allow": _list({"enum": _admission_rules()}),
    "apiFrom": _PEERS,
    "metricsFrom": _PEERS,
    "extra": _list(_keys("ports", to=_PEERS)),
    # What the values' types do not say.
    "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "repository": {"type": "string", "pattern": "^(([^@ ]*/)?[^@:/ ]+)?$"},
    "imageRegistry": {"type": "string", "pattern": "^([^@ ]*[^@ /])?$"},
    "commonLabels": {**_STRINGS, "propertyNames": {
        "not": {"pattern": r"^(app\.kubernetes\.io|helm\.sh|zerog\.dev)/"}}},
    "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "maxUnavailable": {"type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+%$"},
    "interval": {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"},
    "size": {"type": "string", "pattern": "^[0-9]+(Mi|Gi|Ti)$"},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "memoryQuota": {"type": "string", "pattern": "^[0-9]+(Mi|Gi)$"},
    "connectionString": {"type": "string", "pattern": "^(couchbases?://[^/@ ]+)?$"},
    "durability": {"enum": ["none", "majority", "majority_and_persist_to_active",
                            "persist_to_majority"]},
    "listing": {"enum": ["query", "kv"]},
    "mode": {"enum": ["kubernetes", "tokens", "off"]},
    "audiences": _list(_TEXT),
    "corsOrigins": _list({"type": "string", "pattern": "^https?://"}),
    "trustedProxies": _list({"type": "string", "pattern": "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"}),
    "authorization": _keys("type", "credentials"),
    "datastore": {"enum": ["sqlite", "couchbase"]},
    "targetCpuPercent": {"type": "integer", "minimum": 1},
    "minReplicas": {"type": "integer", "minimum": 1},
    "maxReplicas": {"type": "integer", "minimum": 1},
}  # fmt: skip


def build_schema(defaults: Mapping[str, Any], values: Sequence[Value]) -> Schema:
    """Return the schema of the values."""
    texts = {value.path: value.text for value in values}
    schema = _of(defaults, (), texts)
    # Helm gives it to a chart that another one depends on.
    schema["properties"]["global"] = _FREE
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "ZeroG", **schema}


def render_schema(schema: Schema) -> str:
    """Return the schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _of(value: Any, path: Path_, texts: Mapping[Path_, str]) -> Schema:
    schema = _bare(value, path, texts)
    return {"description": texts[path], **schema} if path in texts else schema


def _bare(value: Any, path: Path_, texts: Mapping[Path_, str]) -> Schema:
    if path in _PLACES:
        return _PLACES[path]
    if path and path[-1] in _PIECES:
        return _PIECES[path[-1]]
    match value:
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "integer", "minimum": 0}
        case str():
            return {"type": "string"}
        case Mapping() if value:
            properties = {key: _of(item, (*path, key), texts) for key, item in value.items()}
            return {"type": "object", "additionalProperties": False, "properties": properties}
    raise ValueError(
        f"what {'.'.join(path)} may be is not known: add it to zerog_tools.chart.schema"
    )
