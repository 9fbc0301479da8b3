"""The control plane that the tests run on is a real one."""

import ipaddress
import json
import os
import signal
import socket

import httpx
import pytest

from zerog_tools.cluster.control_plane import API_SERVER, ControlPlane
from zerog_tools.cluster.interface import Cluster, KubectlError
from zerog_tools.cluster.process import ClusterError, wait_until

DEADLINE_SECONDS = 40.0


def test_both_kinds_of_cluster_have_the_same_interface(control_plane: ControlPlane) -> None:
    assert isinstance(control_plane, Cluster)


def test_client_and_server_say_the_version_that_is_pinned(cluster: Cluster) -> None:
    versions = json.loads(cluster.kubectl("version", "-o", "json"))

    assert versions["serverVersion"]["gitVersion"] == "v1.36.3"


def test_kubectl_says_what_went_wrong(cluster: Cluster) -> None:
    with pytest.raises(KubectlError, match=r'pods "nobody" not found'):
        cluster.kubectl("get", "pod", "nobody")


def test_what_an_object_owns_goes_with_it(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "configmap", "owner", "-n", namespace)
    uid = cluster.kubectl("get", "cm", "owner", "-n", namespace, "-o", "jsonpath={.metadata.uid}")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    metadata = {"name": "owned", "namespace": namespace, "ownerReferences": [reference]}
    owned = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(owned))

    cluster.kubectl("delete", "configmap", "owner", "-n", namespace)

    wait_until(
        lambda: "owned" not in cluster.kubectl("get", "configmaps", "-n", namespace, "-o", "name"),
        DEADLINE_SECONDS,
        "the owned object is gone",
    )


def test_a_service_account_may_do_what_its_role_says_and_no_more(
    control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    control_plane.kubectl(
        "create", "role", "reads", "--verb=list", "--resource=pods", "-n", namespace
    )
    subject = f"--serviceaccount={namespace}:reader"
    control_plane.kubectl("create", "rolebinding", "r", "--role=reads", subject, "-n", namespace)
    token = control_plane.kubectl("create", "token", "reader", "-n", namespace).strip()

    with control_plane.client(token) as client:
        listed = client.get(f"/api/v1/namespaces/{namespace}/pods")
        refused = client.get(f"/api/v1/namespaces/{namespace}/secrets")

    assert (listed.status_code, refused.status_code) == (200, 403)


def test_a_node_touches_its_own_objects_only(control_plane: ControlPlane) -> None:
    config = json.loads(control_plane.kubeconfig_of_node("node-1").read_text())

    with control_plane.client(config["users"][0]["user"]["token"]) as client:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-2"}}
        answer = client.post("/api/v1/nodes", json=node)

    assert answer.status_code == 403
    assert "node-1" in answer.json()["message"]


def test_pods_are_admitted_into_a_new_namespace(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("run", "one", "--image=none.invalid/none", "-n", namespace)

    pod = json.loads(cluster.kubectl("get", "pod", "one", "-n", namespace, "-o", "json"))

    assert pod["spec"]["serviceAccountName"] == "default"


def test_what_is_sent_to_a_service_does_not_leave_the_machine(
    control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("create", "service", "clusterip", "it", "--tcp=80", "-n", namespace)
    address = control_plane.kubectl(
        "get", "service/it", "-n", namespace, "-o=jsonpath={.spec.clusterIP}"
    )

    # First, so that a wrong address is sent nothing.
    assert ipaddress.ip_address(address).is_loopback
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, 80), 10)


@pytest.mark.usefixtures("own_clusters")
def test_two_clusters_side_by_side_and_a_crash_of_one(
    control_plane: ControlPlane, namespace: str
) -> None:
    with ControlPlane("second") as second:
        second.processes[API_SERVER].kill()

        assert namespace in control_plane.kubectl("get", "namespaces", "-o", "name")
        with pytest.raises(httpx.ConnectError), second.client() as client:
            client.get("/readyz")

        second.start_server(API_SERVER)
        assert namespace not in second.kubectl("get", "namespaces", "-o", "name")
        second.processes[API_SERVER].signal(signal.SIGSTOP)
        pids = [process.pid for process in second.processes.values()]
        folder = second.layout.folder

    assert not folder.exists()
    assert not [pid for pid in pids if pid and os.path.exists(f"/proc/{pid}")]


@pytest.mark.usefixtures("own_clusters")
def test_a_server_that_does_not_start_is_told_with_its_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said: list[str] = []
    broken = ControlPlane("broken", api_arguments=["--no-such-flag"], say=said.append)

    with pytest.raises(ClusterError, match=r"kube-apiserver ended[\s\S]*unknown flag"):
        broken.create()

    assert "the logs of cluster broken are in" in said[-1]
