"""Whether an image may be used."""

from dataclasses import replace
from typing import Any

from zerog_operator.describe import RETRY_SECONDS, check_image
from zerog_operator.model import WorkerPod, WorkerState
from zerog_operator.pods import Ending, PodFacts


def facts(role: str, phase: str, template: str = "new", created: float = 0.0) -> PodFacts:
    worker = WorkerPod("p", "u", "1", created, WorkerState.STARTING, template)
    return PodFacts(worker, role, phase, phase in ("Succeeded", "Failed"), None)


def test_a_new_template_is_described_first() -> None:
    check = check_image([], "new", 0)

    assert check.start
    assert check.refusal is not None
    assert check.refusal.final


def test_nothing_is_started_twice() -> None:
    check = check_image([facts("describe", "Pending")], "new", 0)

    assert not check.start
    assert check.refusal is not None


def test_a_described_image_may_be_used() -> None:
    assert check_image([facts("describe", "Succeeded")], "new", 0).refusal is None


def test_an_older_templates_check_says_nothing_and_is_removed() -> None:
    old = facts("describe", "Succeeded", "old")

    check = check_image([old], "new", 0)

    assert check.start
    assert check.remove == (old,)


def test_a_ready_worker_of_the_template_says_as_much_as_a_check() -> None:
    item = facts("worker", "Running")
    ready = replace(item, worker=replace(item.worker, state=WorkerState.READY))

    check = check_image([ready], "new", 0)

    assert check.refusal is None
    assert not check.start


def test_a_check_that_waits_for_a_node_says_so() -> None:
    item = facts("describe", "Pending")
    words: Any = {"reason": "Unschedulable", "message": "0/0 nodes are available"}
    waits = replace(item.worker, state=WorkerState.WAITING_FOR_NODE, **words)

    check = check_image([replace(item, worker=waits)], item.worker.template, 0)

    assert check.refusal is not None
    assert check.refusal.reason == "ImageNotChecked"
    assert "waits for a node: 0/0 nodes are available" in check.refusal.message


def test_a_template_that_is_rolled_back_to_is_described_again_though_a_worker_is_ready() -> None:
    item = facts("worker", "Running")
    ready = replace(item, worker=replace(item.worker, state=WorkerState.READY))
    other, ours = facts("describe", "Succeeded", "old"), facts("describe", "Pending")

    check = check_image([ready, other], "new", 0)
    assert (check.refusal, check.start, check.remove) == (None, True, ())

    check = check_image([ready, other, ours], "new", 0)
    assert (check.refusal, check.start, check.remove) == (None, False, (other,))


def test_a_failed_check_is_told_and_repeated_after_a_while() -> None:
    failed = replace(facts("describe", "Failed"), ending=Ending("Error", "no module acme"))

    soon, later = (check_image([failed], "new", at) for at in (1, RETRY_SECONDS + 1))

    assert soon.refusal is not None
    assert "no module acme" in soon.refusal.message
    assert soon.remove == ()
    assert later.remove == (failed,)
