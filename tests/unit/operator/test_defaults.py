"""What worker pods get beside their pool's template."""

import copy
import json
from typing import Any

import pytest

from zerog.model.errors import ConfigError
from zerog_operator.defaults import RESOURCES, join_defaults, parse_defaults, worker_defaults
from zerog_operator.pool import PoolSpec
from zerog_operator.settings import OperatorSettings

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"team": "a"}},
    "spec": {"containers": [{"name": "worker", "image": "acme:1"}, {"name": "other"}]},
}


def template(worker: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "worker", "image": "acme:1", **worker}], **spec}}


def worker_of(joined: dict[str, Any]) -> dict[str, Any]:
    return dict(joined["spec"]["containers"][0])


def test_without_defaults_a_worker_gets_resources_and_no_token() -> None:
    joined = join_defaults(TEMPLATE, parse_defaults(None))

    assert worker_of(joined) == {"name": "worker", "image": "acme:1", "resources": RESOURCES}
    assert joined["spec"]["containers"][1] == {"name": "other"}
    assert joined["spec"]["automountServiceAccountToken"] is False
    assert joined["metadata"] == TEMPLATE["metadata"]


@pytest.mark.parametrize("resources", [{"limits": {"memory": "1Mi"}}, {"requests": {"cpu": "1m"}}])
def test_whoever_asks_for_resources_gets_no_others(resources: dict[str, Any]) -> None:
    theirs = {"containers": [{"name": "worker", "resources": {"limits": {"memory": "2Gi"}}}]}

    assert worker_of(join_defaults(template({"resources": resources}), theirs))["resources"] == (
        resources
    )
    assert worker_of(join_defaults(template({}), theirs))["resources"] == {
        "limits": {"memory": "2Gi"}
    }


def test_only_a_template_that_asks_for_a_token_gets_one() -> None:
    def mounts(**spec: Any) -> Any:
        return join_defaults(template({}, **spec), {})["spec"]["automountServiceAccountToken"]

    assert mounts() is False
    assert mounts(serviceAccountName="mine") is False
    assert mounts(automountServiceAccountToken=True) is True
    assert mounts(automountServiceAccountToken=False) is False


def test_what_the_template_leaves_out_is_taken_from_the_defaults() -> None:
    defaults = {
        "securityContext": {"runAsNonRoot": True},
        "volumes": [{"name": "data"}],
        "containers": [{"name": "worker", "env": [{"name": "A", "value": "1"}]}],
    }

    joined = join_defaults(TEMPLATE, defaults)

    assert joined["spec"]["securityContext"] == {"runAsNonRoot": True}
    assert joined["spec"]["volumes"] == [{"name": "data"}]
    assert worker_of(joined)["env"] == [{"name": "A", "value": "1"}]
    assert worker_of(joined)["image"] == "acme:1"
    assert joined["spec"]["containers"][1] == {"name": "other"}
    assert joined["metadata"] == TEMPLATE["metadata"]


def test_lists_are_joined_and_the_templates_items_win() -> None:
    given = template(
        {
            "env": [{"name": "A", "value": "mine"}],
            "volumeMounts": [{"name": "x", "mountPath": "/data"}],
            "envFrom": [{"secretRef": {"name": "s"}}],
        },
        tolerations=[{"key": "a"}],
    )
    defaults = {
        "tolerations": [{"key": "a"}, {"key": "b"}],
        "containers": [
            {
                "name": "worker",
                "env": [{"name": "A", "value": "yours"}, {"name": "B", "value": "2"}],
                "volumeMounts": [{"name": "y", "mountPath": "/data"}],
                "envFrom": [{"secretRef": {"name": "t"}}],
            }
        ],
    }

    joined = join_defaults(given, defaults)

    worker = worker_of(joined)
    assert worker["env"] == [{"name": "A", "value": "mine"}, {"name": "B", "value": "2"}]
    assert worker["volumeMounts"] == [{"name": "x", "mountPath": "/data"}]
    assert worker["envFrom"] == [{"secretRef": {"name": "s"}}, {"secretRef": {"name": "t"}}]
    assert joined["spec"]["tolerations"] == [{"key": "a"}, {"key": "b"}]


def test_a_security_context_is_joined_by_its_keys() -> None:
    given = template(
        {"securityContext": {"runAsUser": 5, "capabilities": {"add": ["CHOWN"]}}},
        securityContext={"fsGroup": 7},
    )
    restricted = {"privileged": False, "capabilities": {"drop": ["ALL"]}}
    defaults = {
        "securityContext": {"runAsNonRoot": True, "fsGroup": 5},
        "containers": [{"name": "worker", "securityContext": restricted}],
    }

    joined = join_defaults(given, defaults)

    assert joined["spec"]["securityContext"] == {"runAsNonRoot": True, "fsGroup": 7}
    assert worker_of(joined)["securityContext"] == {
        "runAsUser": 5, "privileged": False, "capabilities": {"add": ["CHOWN"]},
    }  # fmt: skip


def test_other_keys_are_taken_whole_or_not_at_all() -> None:
    given = template({}, affinity={"nodeAffinity": {}})
    defaults = {"affinity": {"podAffinity": {}}, "nodeSelector": {"disk": "fast"}}

    joined = join_defaults(given, defaults)

    assert joined["spec"]["affinity"] == {"nodeAffinity": {}}
    assert joined["spec"]["nodeSelector"] == {"disk": "fast"}


def test_neither_template_nor_defaults_are_changed() -> None:
    defaults = {"volumes": [{"name": "a"}], "containers": [{"name": "worker", "env": [{}]}]}
    given, before = copy.deepcopy(TEMPLATE), copy.deepcopy(defaults)

    joined = join_defaults(given, defaults)
    joined["spec"]["volumes"][0]["name"] = "changed"

    assert given == TEMPLATE
    assert defaults == before


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ({"containers": [{"name": "sidecar"}]}, "other containers than one named worker"),
        ({"containers": {}}, "other containers than one named worker"),
        ({"containers": [{"name": "worker"}] * 2}, "more than one container"),
    ],
)
def test_defaults_that_cannot_be_meant_are_refused(value: Any, complaint: str) -> None:
    text = value if isinstance(value, str) else json.dumps(value)

    with pytest.raises(ConfigError, match=complaint):
        parse_defaults(text)


def hash_of(container: dict[str, Any] | None = None, **settings: Any) -> str:
    joined = join_defaults(template(container or {}), worker_defaults(OperatorSettings(**settings)))
    return PoolSpec.parse("media", {"template": joined}).template_hash


def test_workers_get_the_queues_address_as_they_reach_it() -> None:
    def address(container: dict[str, Any] | None = None, **settings: Any) -> list[str]:
        defaults = worker_defaults(OperatorSettings(**settings))
        env = worker_of(join_defaults(template(container or {}), defaults))["env"]
        return [item["value"] for item in env if item["name"] == "ZEROG_QUEUE"]

    assert address(queue="here:11300") == ["here:11300"]
    assert address(queue="here:11300", worker_queue="there:11300") == ["there:11300"]
    shared = '{"containers": [{"name": "worker", "env": [{"name": "A", "value": "1"}]}]}'
    assert address(queue="here:11300", worker_defaults=shared) == ["here:11300"]
    own = {"env": [{"name": "ZEROG_QUEUE", "value": "mine:11300"}]}
    assert address(own, queue="here:11300") == ["mine:11300"]


def test_another_address_of_the_queue_is_another_template() -> None:
    before = hash_of(queue="here:11300")

    assert hash_of(queue="here:11300", worker_queue="there:11300") != before
    assert hash_of(queue="operators:11300", worker_queue="here:11300") == before
