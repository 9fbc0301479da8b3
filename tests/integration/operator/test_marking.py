"""A real operator under its real rights marks the pods of busy workers, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from zerog_operator import names
from zerog_operator.marking import BUSY_SECONDS, MARKS
from zerog_tools.cluster.process import wait_until

from .beats import Beats
from .conftest import DEADLINE_SECONDS, Stage, build_pool

#: More than the usual limit on a busy machine.
pytestmark = pytest.mark.timeout(300)


def annotations(stage: Stage) -> dict[str, Any]:
    """Return the annotations of the only worker."""
    (pod,) = stage.pods()
    return dict(pod["metadata"].get("annotations", {}))


def ready_pod(stage: Stage, store: str, given: dict[str, str]) -> Beats:
    """Start an operator with one ready worker, whose template has these annotations."""
    stage.start_operator(ZEROG_STORE=store)
    container = {"name": "worker", "image": "acme:1"}
    template = {"metadata": {"annotations": given}, "spec": {"containers": [container]}}
    stage.apply(build_pool(minReplicas=1, maxReplicas=1, template=template))
    (pod,) = stage.wait_for_pods(1)
    stage.play_ready(pod)
    return Beats(store, pod["metadata"]["name"])


def test_a_pod_is_marked_while_its_worker_is_busy_and_keeps_the_rest(
    stage: Stage, tmp_path: Path
) -> None:
    beats = ready_pod(stage, f"sqlite:///{tmp_path / 'zerog.db'}", {"team": "a"})

    def follows(expected: dict[str, str], *running_seconds: float) -> None:
        def look() -> bool:
            beats.send(*running_seconds)
            return annotations(stage) == {"team": "a", **expected}

        wait_until(look, DEADLINE_SECONDS, f"the annotations are {expected}")

    follows(dict(MARKS), BUSY_SECONDS)
    # What kopf and the API server say of the change does not let it be replaced.
    stage.wait_for_looks()
    assert stage.status()["readyReplicas"] == 1
    follows({})


def test_a_template_that_names_one_of_the_annotations_decides_alone(
    stage: Stage, tmp_path: Path
) -> None:
    given = {names.KARPENTER_MARK: "false"}
    store = f"sqlite:///{tmp_path / 'zerog.db'}"
    beats = ready_pod(stage, store, given)
    stage.apply(build_pool("other", minReplicas=1, maxReplicas=1))
    other = next(
        pod for pod in stage.wait_for_pods(2)
        if pod["metadata"]["labels"][names.POOL_LABEL] == "other"
    )  # fmt: skip
    stage.play(other, {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
    others = Beats(store, other["metadata"]["name"])

    def is_other_marked() -> bool:
        for each in (beats, others):
            each.send(BUSY_SECONDS)
        return MARKS.items() <= found()["other"].items()

    def found() -> dict[str, dict[str, str]]:
        return {
            pod["metadata"]["labels"][names.POOL_LABEL]: pod["metadata"].get("annotations", {})
            for pod in stage.pods()
        }

    wait_until(is_other_marked, DEADLINE_SECONDS, "the other pool's pod is marked")
    assert found()["media"] == {**given, names.MARKED_BY: "template"}
