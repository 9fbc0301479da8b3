"""Pods as they are created: pure builders over the user's template.

What the template says wins; what a worker needs to know its queue's, its pool's and its own name is
added to it. Pods are owned by their pool, so that deleting the pool deletes them; each then
has `drainTimeoutSeconds` to finish what it runs.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zerog_operator import names
from zerog_operator.pool import PoolSpec

#: Between the end of a worker's own grace period and the kubelet's SIGKILL.
STOP_MARGIN_SECONDS = 20
#: An image that is not pulled and read by then is tried anew.
DESCRIBE_SECONDS = 600
#: Where a worker serves metrics and probes, and the port's name. The pod's own address is where the
#: kubelet and Prometheus ask; a job of another pod on a shared host does not stand in the way.
METRICS_PORT, METRICS_PORT_NAME = 8082, "zerog-metrics"
#: A worker that answers nothing for two minutes hangs: its jobs run elsewhere since. It need not be
#: given the time that jobs may take to end.
LIVENESS = {"periodSeconds": 20, "timeoutSeconds": 20, "failureThreshold": 6,
            "terminationGracePeriodSeconds": 30}  # fmt: skip
PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
#: The worker makes this file when it takes jobs, and removes it when it drains.
RUN_FOLDER, READY_FILE = "/run/zerog", "/run/zerog/ready"
RUN_VOLUME = "zerog-run"


@dataclass(frozen=True, slots=True)
class PoolIdentity:
    """Which pool object it is."""

    namespace: str
    name: str
    uid: str


def build_worker_pod(pool: PoolIdentity, spec: PoolSpec, name: str) -> dict[str, Any]:
    """Return a worker's pod."""
    pod = _build_pod(pool, spec, name, names.ROLE_WORKER)
    pod["spec"]["restartPolicy"] = "OnFailure"
    pod["spec"]["terminationGracePeriodSeconds"] = (
        int(spec.drain_timeout_seconds) + STOP_MARGIN_SECONDS
    )
    pod["spec"].setdefault("volumes", []).append({"name": RUN_VOLUME, "emptyDir": {}})
    worker = _worker_container(pod["spec"])
    worker.setdefault("volumeMounts", []).append({"name": RUN_VOLUME, "mountPath": RUN_FOLDER})
    _add_probes(worker, on_host=pod["spec"].get("hostNetwork") is True)
    if "command" not in worker and "args" not in worker:
        worker["command"] = ["zerog", "worker"]
    return pod


def build_describe_pod(pool: PoolIdentity, spec: PoolSpec) -> dict[str, Any]:
    """Return the one-shot pod that imports an image's jobs and registers their types."""
    name = names.describe_pod_name(pool.name, pool.uid, spec.template_hash)
    pod = _build_pod(pool, spec, name, names.ROLE_DESCRIBE)
    pod["spec"]["restartPolicy"] = "Never"
    pod["spec"]["activeDeadlineSeconds"] = DESCRIBE_SECONDS
    pod["spec"]["containers"] = [worker] = [_worker_container(pod["spec"])]
    for name in (*PROBES, "args"):
        worker.pop(name, None)
    worker["command"] = ["zerog", "describe", "--register", *spec.jobs]
    # Its last words are the condition's message.
    worker["terminationMessagePolicy"] = "FallbackToLogsOnError"
    return pod


def _add_probes(worker: dict[str, Any], *, on_host: bool) -> None:
    """Let a worker serve metrics and health, and probe it. Probes of its template are all it has.

    Readiness is a file, so that nobody's requests keep a worker from being ready. On the network of
    its node, which has the port only once, a worker serves only if its template says where.
    """
    is_probed = not worker.keys().isdisjoint(PROBES)
    if not is_probed:
        worker["readinessProbe"] = {
            "exec": {"command": ["test", "-e", READY_FILE]}, "periodSeconds": 1,
        }  # fmt: skip
    env = worker["env"]
    given = [item for item in env if item["name"] == "ZEROG_METRICS_PORT"]
    if not given and on_host:
        return
    if not given:
        env.append({"name": "ZEROG_METRICS_PORT", "value": str(METRICS_PORT)})
    if "ZEROG_METRICS_HOST" not in [item["name"] for item in env]:
        env.append({"name": "ZEROG_METRICS_HOST", "valueFrom": _field("status.podIP")})
    port = given[0].get("value", "0") if given else str(METRICS_PORT)
    if not port.isdecimal() or not 0 < int(port) < 65536:
        return  # nowhere, or where nobody knows before the pod runs
    ports = worker.setdefault("ports", [])
    if METRICS_PORT_NAME not in [item.get("name") for item in ports]:
        ports.append({"name": METRICS_PORT_NAME, "containerPort": int(port)})
    if not is_probed:
        get = {"path": "/healthz", "port": METRICS_PORT_NAME}
        worker["livenessProbe"] = {"httpGet": get, **LIVENESS}


def _build_pod(pool: PoolIdentity, spec: PoolSpec, name: str, role: str) -> dict[str, Any]:
    template = copy.deepcopy(dict(spec.template))
    metadata = template.get("metadata") or {}
    pod_spec = template.get("spec") or {}
    labels = {
        **(metadata.get("labels") or {}),
        "app.kubernetes.io/name": "zerog",
        "app.kubernetes.io/instance": pool.name,
        "app.kubernetes.io/component": "worker",
        "app.kubernetes.io/part-of": "zerog",
        "app.kubernetes.io/managed-by": "zerog-operator",
        names.POOL_LABEL: pool.name,
        names.ROLE_LABEL: role,
        names.TEMPLATE_LABEL: spec.template_hash,
    }
    # A Service named zerog-api would give the worker a ZEROG_API_PORT, which is no setting.
    pod_spec.setdefault("enableServiceLinks", False)
    worker = _worker_container(pod_spec)
    _add_environment(worker, pool, spec)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": pool.namespace,
            "labels": labels,
            "annotations": _annotations(metadata.get("annotations") or {}),
            "ownerReferences": [_owner(pool)],
        },
        "spec": pod_spec,
    }


def _annotations(given: Mapping[str, str]) -> dict[str, str]:
    by_template = {names.MARKED_BY: "template"} if given.keys() & set(names.MARKS) else {}
    return {**given, **by_template}


def _owner(pool: PoolIdentity) -> dict[str, Any]:
    return {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": names.KIND,
        "name": pool.name,
        "uid": pool.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _worker_container(pod_spec: Mapping[str, Any]) -> dict[str, Any]:
    for container in pod_spec.get("containers", ()):
        if container.get("name") == names.WORKER_CONTAINER:
            assert isinstance(container, dict)
            return container
    raise ValueError("the template has no container named worker")


def _add_environment(worker: dict[str, Any], pool: PoolIdentity, spec: PoolSpec) -> None:
    given = {item["name"] for item in worker.get("env", ())}
    values: dict[str, Any] = {
        "ZEROG_JOBS": " ".join(spec.jobs),
        "ZEROG_QUEUES": spec.queue,
        "ZEROG_SLOTS": str(spec.slots),
        "ZEROG_GRACE_SECONDS": f"{spec.drain_timeout_seconds:g}",
        "ZEROG_LARGER_QUEUE": spec.larger_queue or "",
        "ZEROG_POOL": names.retire_key(pool.namespace, pool.name),
        "ZEROG_READY_FILE": READY_FILE,
        "ZEROG_IMAGE": worker.get("image", ""),
        # Of the template as a person wrote it: what is added here does not change it.
        "ZEROG_TEMPLATE_HASH": spec.template_hash,
        "ZEROG_NAME": _field("metadata.name"),
        "ZEROG_POD": _field("metadata.name"),
        "ZEROG_NODE": _field("spec.nodeName"),
    }
    env = worker.setdefault("env", [])
    for name, value in values.items():
        if name not in given and value != "":
            entry = {"valueFrom": value} if isinstance(value, dict) else {"value": value}
            env.append({"name": name, **entry})


def _field(path: str) -> dict[str, Any]:
    return {"fieldRef": {"fieldPath": path}}
