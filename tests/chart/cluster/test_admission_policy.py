"""What a real API server lets whoever holds the operator's token do with pods.

The token is a real one of the chart's account, with the rights of an operator of the whole cluster
and some more: those to read pods and to change them otherwise. Nothing but the policy of the
chart refuses here: the same pods are accepted from an administrator.
"""

import copy
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import yaml
from tests.chart.cluster.test_manifests import pods_of

from zerog_operator.marking import MARKS
from zerog_tools.chart.helm import Object, run_helm, with_registry
from zerog_tools.cluster.apply import apply
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.process import wait_until
from zerog_tools.repository import CHART, ROOT

pytestmark = pytest.mark.timeout(300)
#: A policy counts some moments after it was made.
ENFORCED_SECONDS = 60.0
RULES = [rule["name"] for rule in
         yaml.safe_load((CHART / "files/admission-rules.yaml").read_text())]  # fmt: skip
#: Rights that the operator does not have: the policy holds whatever its roles are.
MORE_RIGHTS: list[Object] = [
    {
        "apiGroups": [""],
        "resources": ["pods", "pods/ephemeralcontainers"],
        "verbs": ["get", "patch", "update"],
    }
]
_MERGE = {"Content-Type": "application/strategic-merge-patch+json"}


@dataclass(frozen=True, slots=True)
class Cell:
    """Where the operator's token is tried out: a namespace that is open, with a pool."""

    namespace: str
    pool: Object
    operator: httpx.Client
    admin: httpx.Client

    def build_pods(self) -> list[Object]:
        """Return the worker and the image's check that the operator makes for the pool."""
        made = pods_of(self.pool, self.namespace)
        for pod in made:
            pod["metadata"]["ownerReferences"][0]["uid"] = self.pool["metadata"]["uid"]
        return made

    def build_worker(self) -> Object:
        """Return a worker, with a second container and one that runs first."""
        worker = self.build_pods()[0]
        worker["spec"]["containers"].append({"name": "sidecar", "image": "a:1"})
        worker["spec"]["initContainers"] = [{"name": "first", "image": "a:1"}]
        return worker

    def create(self, who: httpx.Client, pod: Object, *, dry: bool = True) -> httpx.Response:
        """Try to create a pod where it says."""
        options = {"dryRun": "All"} if dry else {}
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods"
        return who.post(path, params=options, json=pod)

    def path(self, pod: Object) -> str:
        """Return where a pod is."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}"

    def add(self, pod: Object) -> Object:
        """Create a pod as an administrator."""
        pod["metadata"]["name"] = f"pod-{secrets.token_hex(4)}"
        answer = self.create(self.admin, pod, dry=False).raise_for_status()
        return dict(answer.json())


def open_cell(plane: ControlPlane, namespace: str, **operator: Any) -> Cell:
    """Install the chart into a namespace of its own, with these values of the operator."""
    plane.create_namespace(namespace)
    plane.kubectl("label", "namespace", namespace, "zerog.dev/pools=allowed")
    values = {"crds": {"install": False}, "operator": {"clusterWide": True, **operator}}
    run_helm(
        "install", "zerog", str(CHART), "--namespace", namespace, "--values", "-",
        "--kubeconfig", str(plane.kubeconfig_path), stdin=with_registry(values),
    )  # fmt: skip
    plane.kubectl("create", "-f", "-", stdin=yaml.safe_dump_all(more_rights(namespace)))
    admin = plane.client()
    token = plane.kubectl("create", "token", "zerog-operator", "-n", namespace).strip()
    pool = yaml.safe_load((ROOT / "manifests/samples/pool.yaml").read_text())
    apply(admin, [pool], namespace)
    pools = f"/apis/zerog.dev/v1alpha1/namespaces/{namespace}/zerogworkerpools"
    found = admin.get(f"{pools}/{pool['metadata']['name']}").raise_for_status().json()
    cell = Cell(namespace, found, plane.client(token), admin)
    foreign = {
        "metadata": {"name": "x", "namespace": namespace},
        "spec": cell.build_worker()["spec"],
    }
    enforced = operator.get("admissionPolicy", {}).get("enabled", True)

    def is_set_up() -> bool:
        # Its roles and the namespace's label, too, count some moments after they were made.
        answer = cell.create(cell.operator, foreign)
        refused = "ValidatingAdmissionPolicy" in answer.text
        own = cell.create(cell.operator, cell.build_worker())
        return refused is enforced and own.is_success and answer.is_success is not enforced

    wait_until(is_set_up, ENFORCED_SECONDS, "the account has its rights, and the policy counts")
    return cell


def more_rights(namespace: str) -> list[Object]:
    """The additional role of the account in a namespace, and its binding."""
    base = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    metadata = {"name": "more", "namespace": namespace}
    group = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": "zerog-operator", "namespace": namespace}
    return [
        {**base, "kind": "Role", "metadata": metadata, "rules": MORE_RIGHTS},
        {
            **base,
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "more"},
            "subjects": [account],
        },
    ]


def close_cell(plane: ControlPlane, cell: Cell) -> None:
    """Take everything away again."""
    run_helm("uninstall", "zerog", "--namespace", cell.namespace,
             "--kubeconfig", str(plane.kubeconfig_path))  # fmt: skip
    plane.delete_namespace(cell.namespace)
    cell.operator.close()
    cell.admin.close()


@pytest.fixture(scope="module")
def cell(control_plane: ControlPlane, kinds: None) -> Iterator[Cell]:
    made = open_cell(control_plane, f"cell-{secrets.token_hex(4)}")
    yield made
    close_cell(control_plane, made)


def assert_refused(answer: httpx.Response, *words: str) -> None:
    message = answer.json().get("message", "")
    assert answer.status_code == httpx.codes.FORBIDDEN, answer.text
    assert "ValidatingAdmissionPolicy" in message
    for word in words:
        assert word in message


def on_pod(**spec: Any) -> Callable[[Object], None]:
    """What changes a pod's spec."""
    return lambda pod: pod["spec"].update(spec)


def on_container(**fields: Any) -> Callable[[Object], None]:
    """What changes the last container."""
    return lambda pod: pod["spec"]["containers"][-1].update(fields)


def on_first(**fields: Any) -> Callable[[Object], None]:
    """What changes the container that runs first."""
    return lambda pod: pod["spec"]["initContainers"][0].update(fields)


def security(**fields: Any) -> Object:
    return {"securityContext": fields}


def add_host_path(pod: Object) -> None:
    pod["spec"]["volumes"].append({"name": "host", "hostPath": {"path": "/"}})


def unconfine_by_annotation(pod: Object) -> None:
    key = "container.apparmor.security.beta.kubernetes.io/sidecar"
    pod["metadata"]["annotations"] = {key: "unconfined"}


def run_unmasked(pod: Object) -> None:
    pod["spec"]["hostUsers"] = False
    on_container(**security(procMount="Unmasked"))(pod)


HOST = {"httpGet": {"host": "10.0.0.1", "port": 80}}
#: The rule that forbids it, and what is forbidden.
FORBIDDEN: dict[str, tuple[str, Callable[[Object], None]]] = {
    "host network": ("hostNamespaces", on_pod(hostNetwork=True)),
    "host processes": ("hostNamespaces", on_pod(hostPID=True)),
    "host memory": ("hostNamespaces", on_pod(hostIPC=True)),
    "host path": ("hostPath", add_host_path),
    "host port": ("hostPorts", on_container(ports=[{"containerPort": 80, "hostPort": 80}])),
    "host port first": ("hostPorts", on_first(ports=[{"containerPort": 80, "hostPort": 80}])),
    "probe of a host": ("hostProbes", on_container(livenessProbe=HOST)),
    "hook to a host": ("hostProbes", on_container(lifecycle={"preStop": HOST})),
    "privileged": ("privileged", on_container(**security(privileged=True))),
    "privileged first": ("privileged", on_first(**security(privileged=True))),
    "capability": ("capabilities", on_container(**security(capabilities={"add": ["SYS_ADMIN"]}))),
    "all capabilities": ("capabilities", on_first(**security(capabilities={"add": ["ALL"]}))),
    "unmasked /proc": ("procMount", run_unmasked),
    "no seccomp": ("seccomp", on_container(**security(seccompProfile={"type": "Unconfined"}))),
    "no seccomp in the pod": ("seccomp", on_pod(**security(seccompProfile={"type": "Unconfined"}))),
    "no AppArmor": ("appArmor", on_first(**security(appArmorProfile={"type": "Unconfined"}))),
    "no AppArmor by annotation": ("appArmor", unconfine_by_annotation),
    "SELinux type": ("seLinux", on_pod(**security(seLinuxOptions={"type": "spc_t"}))),
    "SELinux user": ("seLinux", on_container(**security(seLinuxOptions={"user": "root"}))),
    "sysctl": ("sysctls", on_pod(**security(sysctls=[{"name": "kernel.msgmax", "value": "1"}]))),
}


def test_every_rule_is_tried() -> None:
    # It needs the host's network, too: it is tried where that is allowed.
    assert {rule for rule, _ in FORBIDDEN.values()} | {"hostProcess"} == set(RULES)


@pytest.mark.parametrize("what", list(FORBIDDEN))
def test_a_worker_must_not_have(cell: Cell, what: str) -> None:
    rule, forbid = FORBIDDEN[what]
    pod = cell.build_worker()
    forbid(pod)

    assert_refused(cell.create(cell.operator, pod), f"rule {rule} ")
    assert cell.create(cell.admin, pod).is_success


def build_intruder() -> Object:
    """Return a pod that has its node, and with it the cluster."""
    container = {"name": "worker", "image": "a:1", **security(privileged=True)}
    return {
        "metadata": {"name": "root", "namespace": "kube-system"},
        "spec": {
            "hostPID": True,
            "containers": [{**container, "volumeMounts": [{"name": "host", "mountPath": "/host"}]}],
            "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
        },
    }


def test_a_privileged_pod_with_the_nodes_disk_is_refused_in_kube_system(cell: Cell) -> None:
    pod = build_intruder()

    assert_refused(cell.create(cell.operator, pod))
    assert cell.create(cell.admin, pod).is_success


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease"])
def test_not_even_a_good_worker_is_made_among_the_clusters_own(cell: Cell, namespace: str) -> None:
    pod = cell.build_worker()
    pod["metadata"]["namespace"] = namespace

    assert_refused(cell.create(cell.operator, pod), "namespaces of the cluster itself")


def test_a_namespace_is_closed_until_somebody_opens_it(
    cell: Cell, control_plane: ControlPlane, namespace: str
) -> None:
    pod = cell.build_worker()
    pod["metadata"]["namespace"] = namespace

    assert_refused(cell.create(cell.operator, pod), "not open to pools")

    control_plane.kubectl("label", "namespace", namespace, "zerog.dev/pools=allowed")
    wait_until(lambda: cell.create(cell.operator, pod).is_success, ENFORCED_SECONDS, "it is open")


def strip_label(pod: Object) -> None:
    del pod["metadata"]["labels"]["zerog.dev/pool"]


def strip_owner(pod: Object) -> None:
    del pod["metadata"]["ownerReferences"]


def on_owner(**fields: Any) -> Callable[[Object], None]:
    return lambda pod: pod["metadata"]["ownerReferences"][0].update(fields)


def add_owner(pod: Object) -> None:
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "a", "controller": False}
    pod["metadata"]["ownerReferences"].append(other)


FORGED: dict[str, Callable[[Object], None]] = {
    "no label": strip_label,
    "no owner": strip_owner,
    "no controller": on_owner(controller=False),
    "another pool": on_owner(name="another"),
    "another kind": on_owner(kind="ConfigMap"),
    "another group": on_owner(apiVersion="evil.example/v1"),
    "another owner": add_owner,
}


@pytest.mark.parametrize("how", list(FORGED))
def test_a_pod_of_no_pool_is_refused(cell: Cell, how: str) -> None:
    pod = cell.build_worker()
    FORGED[how](pod)

    assert_refused(cell.create(cell.operator, pod))
    assert cell.create(cell.admin, pod).is_success


@pytest.mark.parametrize("field", ["serviceAccountName", "serviceAccount"])
def test_no_author_of_a_pool_becomes_the_operator(cell: Cell, field: str) -> None:
    pod = cell.build_worker()
    pod["spec"][field] = "zerog-operator"

    assert_refused(cell.create(cell.operator, pod), "own service account")
    assert cell.create(cell.admin, pod).is_success


def test_the_pods_that_the_operator_makes_are_made_and_deleted(cell: Cell) -> None:
    for pod in cell.build_pods():
        assert cell.create(cell.operator, pod, dry=False).is_success
        assert cell.operator.delete(cell.path(pod)).is_success


def test_a_pod_of_somebody_else_can_be_neither_deleted_nor_taken_over(cell: Cell) -> None:
    pod = cell.build_worker()
    strip_label(pod)
    added = cell.add(pod)
    adopt = {"metadata": {"labels": {"zerog.dev/pool": cell.pool["metadata"]["name"]}}}

    assert_refused(cell.operator.delete(cell.path(added)))
    assert_refused(cell.operator.patch(cell.path(added), content=json.dumps(adopt), headers=_MERGE))
    assert cell.admin.delete(cell.path(added)).is_success


def patch(cell: Cell, pod: Object, change: Object, subresource: str = "") -> httpx.Response:
    """Try to change a pod as the operator."""
    path = cell.path(pod) + subresource
    return cell.operator.patch(path, content=json.dumps(change), headers=_MERGE)


def test_the_annotations_of_a_busy_pod_can_be_set_and_removed(cell: Cell) -> None:
    worker = cell.build_worker()
    worker["metadata"]["annotations"] = {"team": "a"}
    added = cell.add(worker)

    assert patch(cell, added, {"metadata": {"annotations": dict(MARKS)}}).is_success
    marked = cell.admin.get(cell.path(added)).json()["metadata"]["annotations"]
    assert patch(cell, added, {"metadata": {"annotations": dict.fromkeys(MARKS)}}).is_success
    bare = cell.admin.get(cell.path(added)).json()["metadata"]["annotations"]

    assert marked == {"team": "a", **MARKS}
    assert bare == {"team": "a"}
    assert cell.operator.delete(cell.path(added)).is_success


DEBUGGER = {"name": "debugger", "image": "a:1"}
#: What changes a pod, and the subresource by which it does.
CHANGES: dict[str, tuple[Object, str]] = {
    "another annotation": ({"metadata": {"annotations": {"a": "b"}}}, ""),
    "one with a mark": ({"metadata": {"annotations": {**MARKS, "a": "b"}}}, ""),
    "an annotation's value": ({"metadata": {"annotations": {"team": "b"}}}, ""),
    "an annotation's end": ({"metadata": {"annotations": {"team": None}}}, ""),
    "a label": ({"metadata": {"labels": {"a": "b"}}}, ""),
    "no pool": ({"metadata": {"labels": {"zerog.dev/pool": None}}}, ""),
    "another pool": ({"metadata": {"labels": {"zerog.dev/pool": "other"}}}, ""),
    "a finalizer": ({"metadata": {"finalizers": ["acme.example/stay"]}}, ""),
    "no owner": ({"metadata": {"ownerReferences": None}}, ""),
    "an image": ({"spec": {"containers": [{"name": "worker", "image": "evil:1"}]}}, ""),
    "a deadline": ({"spec": {"activeDeadlineSeconds": 1}}, ""),
    "a debugger": ({"spec": {"ephemeralContainers": [DEBUGGER]}}, "/ephemeralcontainers"),
}


@pytest.fixture(scope="module")
def annotated(cell: Cell) -> Object:
    """A worker with an annotation of its template."""
    worker = cell.build_worker()
    worker["metadata"]["annotations"] = {"team": "a"}
    return cell.add(worker)


@pytest.mark.parametrize("what", list(CHANGES))
def test_nothing_else_of_a_worker_can_be_changed(cell: Cell, annotated: Object, what: str) -> None:
    change, subresource = CHANGES[what]

    assert_refused(patch(cell, annotated, change, subresource))
    as_admin = cell.admin.patch(
        cell.path(annotated) + subresource,
        content=json.dumps(change),
        headers=_MERGE,
        params={"dryRun": "All"},
    )
    assert as_admin.is_success, as_admin.text


def test_the_api_server_understands_every_expression(
    cell: Cell, control_plane: ControlPlane
) -> None:
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/"

    def status() -> Object:
        found = cell.admin.get(f"{path}{cell.namespace}.zerog-operator").raise_for_status()
        return dict(found.json().get("status", {}))

    wait_until(lambda: "observedGeneration" in status(), ENFORCED_SECONDS, "types are checked")
    assert status()["typeChecking"] == {}


def test_a_rule_that_is_lifted_leaves_the_others(control_plane: ControlPlane, kinds: None) -> None:
    namespace = f"cell-{secrets.token_hex(4)}"
    policy = {"allow": ["hostNamespaces", "hostPath"]}
    lifted = open_cell(control_plane, namespace, admissionPolicy=policy)
    try:
        lifted.pool["spec"]["template"]["spec"]["hostNetwork"] = True
        pod = lifted.build_worker()
        add_host_path(pod)
        windows = copy.deepcopy(pod)
        windows["spec"]["securityContext"] = {"windowsOptions": {"hostProcess": True}}
        windows["spec"]["os"] = {"name": "windows"}
        for container in [*windows["spec"]["containers"], *windows["spec"]["initContainers"]]:
            container.pop("securityContext", None)

        answer = lifted.create(lifted.operator, pod)
        assert answer.is_success, answer.text
        assert lifted.create(lifted.admin, windows).is_success
        assert_refused(lifted.create(lifted.operator, windows), "rule hostProcess ")
    finally:
        close_cell(control_plane, lifted)


def test_without_the_policy_the_token_is_the_cluster(
    control_plane: ControlPlane, kinds: None
) -> None:
    """What refuses above is the policy and nothing else."""
    namespace = f"cell-{secrets.token_hex(4)}"
    bare = open_cell(control_plane, namespace, admissionPolicy={"enabled": False})
    try:
        assert bare.create(bare.operator, build_intruder()).is_success
    finally:
        close_cell(control_plane, bare)
