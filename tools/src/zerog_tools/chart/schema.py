"""`values.schema.json`, made of the values and of what is known about some of them.

An unknown key is refused at every level. Types follow from the defaults; what those do not say is
listed by full path, with Kubernetes' keys where a value is a piece of Kubernetes' own.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from zerog_tools.chart.values import Path_, Value, look_up
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


def _under(parents: Sequence[str], **types: Schema) -> dict[str, Schema]:
    """Return the full paths of values that several parents have alike."""
    return {f"{parent}.{name}": schema for parent in parents for name, schema in types.items()}


_QUANTITIES: Schema = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
_PEERS = _list(_keys("ipBlock", "namespaceSelector", "podSelector"))
_SIZE: Schema = {"type": "string", "pattern": "^[0-9]+(Mi|Gi|Ti)$"}
_COUNT: Schema = {"type": "integer", "minimum": 1}
_OWN_PODS = ("couchbase.development", "api", "operator", "beanstalkd")
_IMAGES = ("couchbase.development.image", "api.image", "operator.image", "beanstalkd.image",
           "selfTest.image")  # fmt: skip
#: What a value's default does not say, by its full path.
_TYPES: dict[str, Schema] = {
    "imageRegistry": {"type": "string", "pattern": "^([^@ ]*[^@ /])?$"},
    "imagePullSecrets": _list({**_keys(name=_TEXT), "required": ["name"]}),
    "commonLabels": {**_STRINGS, "propertyNames": {
        "not": {"pattern": r"^(app\.kubernetes\.io|helm\.sh|zerog\.dev)/"}}},
    "datastore": {"enum": ["sqlite", "couchbase"]},
    "auth.mode": {"enum": ["kubernetes", "tokens", "off"]},
    "auth.audiences": _list(_TEXT),
    "sqlite.size": _SIZE,
    "beanstalkd.persistence.size": _SIZE,
    "couchbase.connectionString": {"type": "string", "pattern": "^(couchbases?://[^/@ ]+)?$"},
    "couchbase.durability": {"enum": [
        "none", "majority", "majority_and_persist_to_active", "persist_to_majority"]},
    "couchbase.listing": {"enum": ["query", "kv"]},
    "couchbase.objects.labels": _STRINGS,
    "couchbase.objects.memoryQuota": {"type": "string", "pattern": "^[0-9]+(Mi|Gi)$"},
    "couchbase.development.size": _SIZE,
    "api.autoscaling.minReplicas": _COUNT,
    "api.autoscaling.maxReplicas": _COUNT,
    "api.autoscaling.targetCpuPercent": _COUNT,
    "api.corsOrigins": _list({"type": "string", "pattern": "^https?://"}),
    "api.trustedProxies": _list({"type": "string", "pattern": "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"}),
    "api.service.type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "api.service.port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "api.ingress.hosts": _list({
        **_keys(host=_TEXT, tlsSecret={"type": "string"}), "required": ["host"]}),
    "api.httpRoute.hostnames": _list(_TEXT),
    "api.httpRoute.parentRefs": _list({
        **_keys("group", "kind", "name", "namespace", "port", "sectionName"),
        "required": ["name"]}),
    "operator.namespaces": _list(_TEXT),
    "operator.admissionPolicy.allow": _list({"enum": _admission_rules()}),
    "networkPolicy.apiFrom": _PEERS,
    "networkPolicy.metricsFrom": _PEERS,
    "networkPolicy.egress.extra": _list(_keys("ports", to=_PEERS)),
    **_under(
        ["metrics.serviceMonitor", "metrics.podMonitor"],
        interval={"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"},
    ),
    "metrics.prometheusRule.runbookUrl": {"type": "string", "pattern": "^[^# ]+$"},
    "metrics.serviceMonitor.authorization": _keys("type", "credentials"),
    **_under(["networkPolicy.egress"], apiServer=_PEERS, couchbase=_PEERS, beanstalkd=_PEERS),
    **_under(
        ["metrics.serviceMonitor", "metrics.podMonitor", "metrics.prometheusRule",
         "metrics.dashboard"],
        labels=_STRINGS,
    ),
    **_under(
        ["api.serviceAccount", "api.service", "api.ingress", "api.httpRoute",
         "operator.serviceAccount"],
        annotations=_STRINGS,
    ),
    **_under(
        ["api.podDisruptionBudget", "operator.podDisruptionBudget"],
        maxUnavailable={"type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+%$"},
    ),
    **_under(
        _IMAGES,
        repository={"type": "string", "pattern": "^(([^@ ]*/)?[^@:/ ]+)?$"},
        digest={"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
        pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
    ),
    **_under(
        [*_OWN_PODS, "workers"],
        resources=_keys("claims", requests=_QUANTITIES, limits=_QUANTITIES),
        securityContext=_keys(
            "allowPrivilegeEscalation", "appArmorProfile", "capabilities", "privileged",
            "procMount", "readOnlyRootFilesystem", "runAsGroup", "runAsNonRoot", "runAsUser",
            "seLinuxOptions", "seccompProfile", "windowsOptions",
        ),
        podSecurityContext=_keys(
            "appArmorProfile", "fsGroup", "fsGroupChangePolicy", "runAsGroup", "runAsNonRoot",
            "runAsUser", "seLinuxChangePolicy", "seLinuxOptions", "seccompProfile",
            "supplementalGroups", "supplementalGroupsPolicy", "sysctls", "windowsOptions",
        ),
        extraEnv=_list({
            **_keys("valueFrom", name=_TEXT, value={"type": "string"}), "required": ["name"]}),
    ),
    **_under(
        _OWN_PODS,
        nodeSelector=_STRINGS,
        podAnnotations=_STRINGS,
        podLabels=_STRINGS,
        affinity=_keys("nodeAffinity", "podAffinity", "podAntiAffinity"),
        tolerations=_list(_keys("key", "operator", "value", "effect", "tolerationSeconds")),
    ),
    **_under(
        ["api", "operator", "workers", "beanstalkd"],
        extraVolumes=_list({"type": "object", "required": ["name"]}),
        extraVolumeMounts=_list({
            **_keys("mountPath", "mountPropagation", "name", "readOnly", "recursiveReadOnly",
                    "subPath", "subPathExpr"),
            "required": ["name", "mountPath"]}),
    ),
    **_under(
        ["api", "operator"],
        topologySpreadConstraints=_list({
            **_keys("labelSelector", "matchLabelKeys", "maxSkew", "minDomains",
                    "nodeAffinityPolicy", "nodeTaintsPolicy", "topologyKey", "whenUnsatisfiable"),
            "required": ["maxSkew", "topologyKey", "whenUnsatisfiable"]}),
    ),
}  # fmt: skip


def build_schema(defaults: Mapping[str, Any], values: Sequence[Value]) -> Schema:
    """Return the schema of the values."""
    if gone := [path for path in _TYPES if not _is_in(defaults, path)]:
        raise ValueError(f"values.yaml has no {', '.join(gone)}: mend zerog_tools.chart.schema")
    texts = {value.path: value.text for value in values}
    schema = _of(defaults, (), texts)
    # Helm gives it to a chart that another one depends on.
    schema["properties"]["global"] = _FREE
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "ZeroG", **schema}


def render_schema(schema: Schema) -> str:
    """Return the schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _is_in(defaults: Mapping[str, Any], path: str) -> bool:
    try:
        look_up(defaults, tuple(path.split(".")))
    except KeyError:
        return False
    return True


def _of(value: Any, path: Path_, texts: Mapping[Path_, str]) -> Schema:
    schema = _bare(value, path, texts)
    return {"description": texts[path], **schema} if path in texts else schema


def _bare(value: Any, path: Path_, texts: Mapping[Path_, str]) -> Schema:
    if (known := _TYPES.get(".".join(path))) is not None:
        return known
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
