"""A local node does for a pod's process what a kubelet does."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.local_node import LocalNode
from zerog_tools.cluster.node.image import Image
from zerog_tools.cluster.process import wait_until

DEADLINE_SECONDS = 60.0
SHELL = "shell.invalid/shell:1"
#: Ends by itself and tells that it was asked to.
POLITE = "trap 'echo asked; exit 0' TERM; echo up; sleep 1000 & wait"
STUBBORN = "trap 'echo asked' TERM; echo up; while true; do sleep 0.1; done"


@pytest.fixture(scope="session")
def cluster(local_node: LocalNode) -> ControlPlane:
    """The cluster in which `namespace` is."""
    local_node.add_image(SHELL, Image(entrypoint=("/bin/sh", "-c")))
    return local_node.cluster


class Pods:
    """The pods of one test."""

    def __init__(self, node: LocalNode, namespace: str) -> None:
        self.node, self.namespace = node, namespace
        self.cluster = node.cluster
        self._api = node.cluster.client()

    def close(self) -> None:
        """Ask no more."""
        self._api.close()

    def make(self, script: str, *, name: str = "pod", **spec: Any) -> None:
        """Make a pod that runs a script; keywords are of the container or of the pod."""
        of_pod = {"restartPolicy", "terminationGracePeriodSeconds", "volumes", "nodeName"}
        container = {key: value for key, value in spec.items() if key not in of_pod}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {
                "restartPolicy": "OnFailure",
                **{key: value for key, value in spec.items() if key in of_pod},
                "containers": [{"name": "main", "image": SHELL, "args": [script], **container}],
            },
        }
        self.cluster.kubectl("create", "-n", self.namespace, "-f", "-", stdin=json.dumps(pod))

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the namespace."""
        return self.cluster.kubectl(*arguments, "-n", self.namespace)

    def read(self, name: str = "pod") -> dict[str, Any]:
        """Return a pod's status with its only container's values beside."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}"
        status = self._api.get(path).raise_for_status().json()["status"]
        container = status.get("containerStatuses", [{}])[0]
        state, before = container.get("state", {}), container.get("lastState", {})
        return {
            "phase": status["phase"],
            "reason": status.get("reason"),
            "message": status.get("message"),
            "address": status.get("podIP"),
            "ready": container.get("ready", False),
            "restarts": container.get("restartCount", 0),
            "waits": state.get("waiting", {}).get("reason"),
            "code": state.get("terminated", {}).get("exitCode"),
            "before": before.get("terminated", {}).get("reason"),
            "words": (before or state).get("terminated", {}).get("message"),
        }

    def wait_for(self, name: str = "pod", **wanted: object) -> dict[str, Any]:
        """Wait until all these tell the pod's state."""
        seen: dict[str, Any] = {}

        def look() -> dict[str, Any] | None:
            seen.update(self.read(name))
            return seen if wanted.items() <= seen.items() else None

        try:
            return wait_until(look, DEADLINE_SECONDS, f"{wanted}")
        except Exception as error:
            raise AssertionError(f"{wanted} is not in {seen}") from error

    def wait_for_text(self, text: str, name: str = "pod") -> str:
        """Wait until a pod's log has a text, and return the log."""

        def look() -> str | None:
            log = self.node.read_log(self.namespace, name)
            return log if text in log else None

        return wait_until(look, DEADLINE_SECONDS, f"{text!r} in the log of {name}")


@pytest.fixture
def pods(local_node: LocalNode, namespace: str) -> Iterator[Pods]:
    """Pods of a namespace of one's own."""
    made = Pods(local_node, namespace)
    yield made
    made.close()


def test_a_pod_gets_what_its_description_names(pods: Pods) -> None:
    pods.kubectl(
        "create", "secret", "generic", "s", "--from-literal=WORD=open", "--from-literal=A=1"
    )
    pods.kubectl("create", "configmap", "c", "--from-literal=size=9")
    fields = {"NAME": "metadata.name", "NODE": "spec.nodeName", "APP": "metadata.labels['app']"}
    env: list[dict[str, Any]] = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
        for name, path in fields.items()
    ]
    env += [
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "WORD"}}},
        {"name": "SIZE", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "size"}}},
        {"name": "BOTH", "value": "$(NAME)-$(SIZE)"},
    ]

    pods.make(
        'echo "$NAME $NODE $APP $SECRET $SIZE $BOTH $P_A in $PWD"; cat /conf/size; echo; echo end',
        env=env,
        envFrom=[{"secretRef": {"name": "s"}, "prefix": "P_"}],
        workingDir="/tmp",
        volumes=[{"name": "conf", "configMap": {"name": "c"}}],
        volumeMounts=[{"name": "conf", "mountPath": "/conf"}],
    )

    assert pods.wait_for_text("end") == "pod node-1 pod open 9 pod-9 1 in /tmp\n9\nend\n"


@pytest.mark.parametrize(
    ("policy", "code", "wanted"),
    [
        ("Never", 0, {"phase": "Succeeded", "code": 0, "restarts": 0}),
        ("Never", 4, {"phase": "Failed", "code": 4, "restarts": 0}),
        ("OnFailure", 0, {"phase": "Succeeded", "restarts": 0}),
        ("OnFailure", 4, {"waits": "CrashLoopBackOff", "before": "Error", "phase": "Running"}),
        ("Always", 0, {"waits": "CrashLoopBackOff", "before": "Completed", "phase": "Running"}),
    ],
)
def test_an_end_is_followed_by_what_the_restart_policy_says(
    pods: Pods, policy: str, code: int, wanted: dict[str, Any]
) -> None:
    pods.make(f"exit {code}", restartPolicy=policy)

    pods.wait_for(**wanted)


def test_the_last_words_of_a_failed_container_are_told_if_asked_for(pods: Pods) -> None:
    policy = "FallbackToLogsOnError"
    pods.make("echo no such job; exit 1", restartPolicy="Never", terminationMessagePolicy=policy)

    pods.wait_for(phase="Failed", words="no such job")


def test_a_deleted_pod_is_asked_first_and_goes_when_it_has_ended(pods: Pods) -> None:
    pods.make(POLITE)
    pods.wait_for_text("up")

    pods.kubectl("delete", "pod", "pod")

    assert pods.node.read_log(pods.namespace, "pod") == "up\nasked\n"


def test_who_does_not_end_within_the_grace_is_killed(pods: Pods) -> None:
    pods.make(STUBBORN, terminationGracePeriodSeconds=1)
    pods.wait_for_text("up")
    pids = pods.node.find_processes(pods.namespace, "pod")

    pods.kubectl("delete", "pod", "pod")

    assert "asked" in pods.node.read_log(pods.namespace, "pod")
    assert pids
    assert not pods.node.find_processes(pods.namespace, "pod")


def test_a_second_deletion_shortens_the_grace(pods: Pods) -> None:
    pods.make(STUBBORN, terminationGracePeriodSeconds=3600)
    pods.wait_for_text("up")
    pods.kubectl("delete", "pod", "pod", "--wait=false")
    pods.wait_for_text("asked")

    pods.kubectl("delete", "pod", "pod", "--grace-period=1")

    assert not pods.node.find_processes(pods.namespace, "pod")


def test_a_forced_deletion_leaves_no_process_behind(pods: Pods) -> None:
    pods.make(STUBBORN, terminationGracePeriodSeconds=3600)
    pods.wait_for_text("up")

    pods.kubectl("delete", "pod", "pod", "--grace-period=0", "--force")

    wait_until(
        lambda: not pods.node.find_processes(pods.namespace, "pod"), DEADLINE_SECONDS, "all ended"
    )


def test_what_a_container_has_started_ends_with_it(pods: Pods) -> None:
    pods.make("setsid sleep 1000 & sleep 0.2; echo left; exit 0")

    pods.wait_for(phase="Succeeded")

    assert not pods.node.find_processes(pods.namespace, "pod")


def test_a_pod_is_ready_while_its_probe_finds_the_file_in_its_own_volume(pods: Pods) -> None:
    probe = {"exec": {"command": ["test", "-e", "/run/it/ready"]}, "periodSeconds": 1}
    for name in ("pod", "other"):
        pods.make(
            'if [ "$NAME" = pod ]; then touch $READY; fi; sleep 1000',
            name=name,
            env=[{"name": "NAME", "value": name}, {"name": "READY", "value": "/run/it/ready"}],
            readinessProbe=probe,
            volumes=[{"name": "run", "emptyDir": {}}],
            volumeMounts=[{"name": "run", "mountPath": "/run/it"}],
        )

    pods.wait_for(ready=True)
    assert not pods.read("other")["ready"]

    (file,) = pods.node.folder.glob(f"pods/{pods.namespace}_pod_*/volumes/run/ready")
    file.unlink()
    pods.wait_for(ready=False, phase="Running")


def test_two_pods_serve_one_port_and_each_is_reached_at_its_own(pods: Pods) -> None:
    # Every pod has an address of its own.
    address = {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    for name in ("pod", "other"):
        pods.make(
            f"echo {name} >index.html; exec python3 -m http.server 8000 --bind $IP",
            name=name,
            env=[address],
            ports=[{"name": "web", "containerPort": 8000}],
            readinessProbe={"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 1},
            livenessProbe={"tcpSocket": {"port": 8000}, "initialDelaySeconds": 5},
        )
        pods.wait_for(name, ready=True)
    pods.kubectl("expose", "pod", "other", "--port=80", "--target-port=8000")

    texts = []
    for target, port in (("pod/pod", 8000), ("pod/other", 8000), ("service/other", 80)):
        with pods.cluster.port_forward(target, port, "--namespace", pods.namespace) as local:
            texts.append(httpx.get(f"http://127.0.0.1:{local}/", trust_env=False).text.strip())

    assert texts == ["pod", "other", "other"]


def test_a_container_whose_liveness_probe_fails_is_restarted(pods: Pods) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}

    pods.make(POLITE, restartPolicy="Always", livenessProbe=probe)

    pods.wait_for(restarts=1)
    pods.wait_for_text("asked")


def test_a_pod_waits_for_an_image_that_is_not_there(pods: Pods) -> None:
    image = f"late.invalid/late:{pods.namespace}"
    pods.make("echo came; sleep 1000", image=image)
    pods.wait_for(waits="ImagePullBackOff", phase="Pending")

    pods.node.add_image(image, Image(entrypoint=("/bin/sh", "-c"), env={"A": "b"}))

    pods.wait_for(phase="Running", ready=True)


def test_a_pod_waits_for_a_secret_that_is_not_there(pods: Pods) -> None:
    pods.make("sleep 1000", envFrom=[{"secretRef": {"name": "late"}}])
    pods.wait_for(waits="CreateContainerConfigError")

    pods.kubectl("create", "secret", "generic", "late")

    pods.wait_for(phase="Running", ready=True)


def test_a_program_that_is_not_there_is_a_start_error(pods: Pods) -> None:
    pods.make("", command=["/no/such/program"], restartPolicy="Never")

    assert "No such file" in pods.wait_for(phase="Failed", code=128)["words"]


def test_a_kill_for_memory_is_told_and_the_container_starts_again(pods: Pods) -> None:
    pods.make(POLITE)
    pods.wait_for_text("up")

    pods.node.kill_for_memory(pods.namespace, "pod")

    pods.wait_for(before="OOMKilled", restarts=1, phase="Running")
    assert "asked" not in pods.node.read_log(pods.namespace, "pod")


def test_an_evicted_pod_fails_with_the_nodes_message(pods: Pods) -> None:
    pods.make(POLITE)
    pods.wait_for_text("up")

    pods.node.evict(pods.namespace, "pod", "The node was low on resource: memory.")

    told = pods.wait_for(phase="Failed", reason="Evicted")
    assert told["message"] == "The node was low on resource: memory."


def test_what_the_agent_does_not_do_is_refused_and_said(pods: Pods) -> None:
    hook = {"preStop": {"exec": {"command": ["true"]}}}
    pods.make("sleep 1000", lifecycle=hook)

    assert "lifecycle hooks" in pods.wait_for(phase="Failed", reason="Unsupported")["message"]


@pytest.mark.usefixtures("own_clusters")
def test_a_silent_node_is_lost_while_its_pods_run_on_and_a_dead_one_takes_them_along() -> None:
    grace = "--node-monitor-grace-period=6s"
    with ControlPlane("lost", scheduler=True, controller_arguments=[grace]) as cluster:
        node = LocalNode(cluster, images={SHELL: Image(entrypoint=("/bin/sh", "-c"))})
        node.start()
        pods = Pods(node, "default")
        pods.make(POLITE)
        pods.wait_for(ready=True)
        path = '-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}'

        node.freeze()
        wait_until(
            lambda: cluster.kubectl("get", "node", node.name, path) == "Unknown",
            DEADLINE_SECONDS,
            "the node is lost",
        )
        assert node.find_processes("default", "pod")
        node.thaw()
        wait_until(
            lambda: cluster.kubectl("get", "node", node.name, path) == "True",
            DEADLINE_SECONDS,
            "the node is back",
        )
        assert pods.read()["restarts"] == 0

        node.kill()
        assert not node.find_processes("default", "pod")
        node.start()
        pods.wait_for(restarts=1, before="Unknown", phase="Running")
        pods.close()
