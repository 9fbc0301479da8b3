"""The nodes do what nodes do: containers, addresses, names, volumes, memory limits."""

import pytest
from tests.e2e.node.conftest import DEADLINE_SECONDS, Place

from zerog_tools.cluster.interface import KubectlError
from zerog_tools.cluster.process import wait_until


def test_a_pod_finds_and_reaches_another_on_another_node_by_name(place: Place) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server"},
        "spec": {"selector": {"app": "server"}, "clusterIP": "None"},
    }
    name = f"server.{place.namespace}.svc.cluster.local"
    reach = f"until getent hosts {name} && (: >/dev/tcp/{name}/8080); do sleep 0.2; done"
    first, second = place.list_workers()

    place.apply(
        service,
        place.build_pod("server", "exec python3 -m http.server 8080", nodeName=first),
        place.build_pod("caller", reach, nodeName=second, restartPolicy="Never"),
    )

    place.wait_for_phase("caller", "Succeeded")
    assert place.status("server")["podIP"] in place.kubectl("logs", "caller")


def test_commands_and_ports_reach_into_a_pod(place: Place) -> None:
    place.apply(place.build_pod("server", "exec python3 -m http.server 8080"))
    place.wait_for_phase("server", "Running")

    assert "42" in place.kubectl("exec", "server", "--", "echo", "42")
    with place.cluster.port_forward("pod/server", 8080, "-n", place.namespace) as port:
        assert port > 0


def test_a_pod_that_takes_more_memory_than_it_may_is_killed_for_it(place: Place) -> None:
    greedy = place.build_pod(
        "greedy",
        "a=x; while :; do a=$a$a; done",
        restartPolicy="Never",
        container={"resources": {"limits": {"memory": "32Mi"}}},
    )

    place.apply(greedy)

    place.wait_for_phase("greedy", "Failed")
    (container,) = place.status("greedy")["containerStatuses"]
    assert container["state"]["terminated"]["reason"] == "OOMKilled"


def test_a_volume_keeps_its_data_when_its_pod_is_replaced(place: Place) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    volumes = {
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        "restartPolicy": "Never",
    }
    mount = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}

    place.apply(claim, place.build_pod("one", "echo kept >/data/file", **volumes, container=mount))
    place.wait_for_phase("one", "Succeeded")
    place.apply(place.build_pod("two", "cat /data/file", **volumes, container=mount))

    place.wait_for_phase("two", "Succeeded")
    assert place.kubectl("logs", "two").strip() == "kept"


def test_an_image_that_no_node_has_is_said_to_be_missing(place: Place) -> None:
    pod = place.build_pod("wrong", "true")
    pod["spec"]["containers"][0] |= {"image": "localhost/missing:1"}

    place.apply(pod)

    def is_told() -> bool:
        found = place.status("wrong").get("containerStatuses", [{}])[0].get("state", {})
        return bool(found.get("waiting", {}).get("reason") == "ErrImageNeverPull")

    wait_until(is_told, DEADLINE_SECONDS, "the reason is told")
    with pytest.raises(KubectlError):
        place.kubectl("exec", "wrong", "--", "true")
