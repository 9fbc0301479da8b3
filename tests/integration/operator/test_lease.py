"""The Lease comes with the installation and goes with it; those who hold it only write its spec."""

import json
from typing import Any

import pytest

from zerog_tools.cluster.process import wait_until

from .conftest import DEADLINE_SECONDS, RBAC, Stage

NAME = "lease/zerog-operator"


def read_spec(stage: Stage) -> dict[str, Any]:
    """Return what the holder has written."""
    text = stage.cluster.kubectl("get", NAME, "-n", stage.namespace, "-o", "json")
    return dict(json.loads(text).get("spec", {}))


def start_holder(stage: Stage) -> str:
    """Start an operator, wait until it holds the Lease, and return who it is."""
    stage.start_operator(lease=True)
    wait_until(lambda: "holderIdentity" in read_spec(stage), DEADLINE_SECONDS, "the Lease is held")
    return str(read_spec(stage)["holderIdentity"])


def apply_again(stage: Stage, *how: str) -> None:
    """Apply a newer manifest, with a label on each object; wait until the Lease is renewed."""
    name = "  name: zerog-operator\n"
    newer = RBAC.read_text().replace(name, f"{name}  labels: {{newer: '{len(how)}'}}\n")
    stage.cluster.kubectl("apply", "-n", stage.namespace, *how, "-f", "-", stdin=newer)
    applied = read_spec(stage)
    wait_until(lambda: read_spec(stage) != applied, DEADLINE_SECONDS, "it is renewed")


@pytest.mark.parametrize("how", [(), ("--server-side", "--force-conflicts")])
def test_applying_a_newer_manifest_takes_the_lease_from_nobody(
    stage: Stage, how: tuple[str, ...]
) -> None:
    # As a user does, so that the next apply finds what this one has noted.
    stage.cluster.kubectl("apply", "-n", stage.namespace, "-f", str(RBAC))
    holder = start_holder(stage)

    apply_again(stage, *how)

    spec = read_spec(stage)
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == (holder, 1)
    assert stage.operators[0].poll() is None
    labels = ["get", NAME, "-n", stage.namespace, "-o", "jsonpath={.metadata.labels.newer}"]
    assert stage.cluster.kubectl(*labels) == str(len(how))


def test_an_operator_whose_lease_is_removed_ends_and_makes_no_other(stage: Stage) -> None:
    start_holder(stage)

    stage.cluster.kubectl("delete", NAME, "-n", stage.namespace)

    assert stage.operators[0].wait(DEADLINE_SECONDS) == 1
    assert stage.cluster.kubectl("get", "leases", "-n", stage.namespace, "-o", "name") == ""
    assert (
        "it comes with the chart, or with manifests/rbac"
        in (stage.folder / "operator-0.log").read_text()
    )


def test_who_ends_in_good_order_leaves_the_lease_free(stage: Stage) -> None:
    start_holder(stage)

    assert stage.stop(stage.operators[0]) == 0

    spec = read_spec(stage)
    assert "holderIdentity" not in spec
    assert spec["leaseTransitions"] == 1
