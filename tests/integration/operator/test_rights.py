"""The operator's rights are exactly those that it uses, by the API server's own audit log."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from zerog_operator.marking import BUSY_SECONDS
from zerog_operator.names import KARPENTER_MARK
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.process import wait_until

from .beats import Beats
from .conftest import DEADLINE_SECONDS, RBAC, Stage, build_pool

AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Metadata"}],
}

#: API group, resource with its subresource, verb.
Right = tuple[str, str, str]


@pytest.fixture
def audited(own_clusters: None, tmp_path: Path) -> Iterator[tuple[Stage, Path]]:
    """A stage on a cluster of its own whose API server writes down every call."""
    policy, log = tmp_path / "audit.yaml", tmp_path / "audit.jsonl"
    policy.write_text(yaml.safe_dump(AUDIT))
    arguments = [f"--audit-policy-file={policy}", f"--audit-log-path={log}"]
    with ControlPlane("audited", api_arguments=arguments) as cluster:
        cluster.create_namespace("stage")
        stage = Stage(cluster, "stage", tmp_path)
        stage.prepare()
        try:
            yield stage, log
        finally:
            stage.close()


def read_calls(log: Path) -> list[dict[str, Any]]:
    """Return what the operator has asked for that needs a right."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    who = "system:serviceaccount:stage:zerog-operator"
    return [line for line in lines if line["user"]["username"] == who and "objectRef" in line]


def right_of(call: dict[str, Any]) -> Right:
    target = call["objectRef"]
    resource = "/".join(filter(None, [target["resource"], target.get("subresource")]))
    return target.get("apiGroup", ""), resource, call["verb"]


def granted() -> set[Right]:
    """Return what the manifest grants."""
    documents = list(yaml.safe_load_all(RBAC.read_text()))
    return {
        (group, resource, verb)
        for role in documents
        if role["kind"] in ("ClusterRole", "Role")
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def work_through(stage: Stage) -> None:
    """Let an operator do everything that it ever does."""
    store = f"sqlite:///{stage.folder / 'zerog.db'}"
    stage.start_operator(lease=True, ZEROG_CHECK_IMAGES="1", ZEROG_NAMESPACES="", ZEROG_STORE=store)
    stage.apply(build_pool())
    (describer,) = stage.wait_for_pods(1, "describe")
    stage.play(describer, {"phase": "Succeeded"})
    stage.put(3)
    pods = stage.wait_for_pods(3)
    stage.play_ready(pods[0])
    busy = Beats(store, pods[0]["metadata"]["name"])

    def is_marked() -> bool:
        busy.send(BUSY_SECONDS)
        (pod,) = (pod for pod in stage.pods() if pod["metadata"]["uid"] == uid)
        return KARPENTER_MARK in pod["metadata"].get("annotations", {})

    uid = pods[0]["metadata"]["uid"]
    wait_until(is_marked, DEADLINE_SECONDS, "the busy worker's pod is marked")
    stage.take_all()
    stage.wait_for_pods(1)
    wait_until(lambda: stage.tokens() == 1, DEADLINE_SECONDS, "a token")
    events = "/api/v1/namespaces/stage/events"
    wait_until(
        lambda: "zerog-operator" in stage.api.get(events).text, DEADLINE_SECONDS, "an event"
    )  # fmt: skip
    assert stage.stop(stage.operators[0]) == 0


def test_every_right_is_used_and_none_is_missing(audited: tuple[Stage, Path]) -> None:
    stage, log = audited

    work_through(stage)

    calls = read_calls(log)
    used = {right_of(call) for call in calls}
    refused = {
        right_of(call)
        for call in calls
        if call["annotations"].get("authorization.k8s.io/decision") != "allow"
    }
    assert refused == set()
    assert used == granted()
    assert not [right for right in granted() if "*" in right]
