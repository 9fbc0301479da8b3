"""Who may reach whom: what the network policies say."""

from typing import Any

import pytest
from tests.chart.variants import COUCHBASE, DEVELOPMENT

from zerog_tools.chart.helm import Object, join, render

EGRESS: Object = {"networkPolicy": {"egress": {"enabled": True}}}
NAME, OPEN = "kubernetes.io/metadata.name", {"matchLabels": {"zerog.dev/pools": "allowed"}}
MINE = {"podSelector": {"matchLabels": {"app": "mine"}}}


def policy(component: str, values: Object) -> Any:
    return render(values).find("NetworkPolicy", f"zerog-{component}")["spec"]


def peers(component: str, values: Object) -> list[Object]:
    (rule,) = policy(component, values)["ingress"]
    found: list[Object] = rule["from"]
    return found


def named(*namespaces: str) -> Object:
    names = {"key": NAME, "operator": "In", "values": list(namespaces)}
    return {"namespaceSelector": {"matchExpressions": [names]}}


@pytest.mark.parametrize("component", ["api", "operator"])
def test_only_pods_of_the_releases_namespaces_reach_a_port(component: str) -> None:
    some = join(COUCHBASE, {"operator": {"namespaces": ["team-a"]}})
    wide = {"operator": {"clusterWide": True}}

    assert peers(component, {}) == [named("zerog")]
    assert peers(component, some) == [named("team-a", "zerog")]
    assert peers(component, wide) == [named("zerog"), {"namespaceSelector": OPEN}]


def test_others_reach_what_the_values_let_them_reach() -> None:
    values = {"networkPolicy": {"apiFrom": [MINE], "metricsFrom": [{"ipBlock": {"cidr": "::/0"}}]}}

    assert peers("api", values)[1:] == [MINE, {"ipBlock": {"cidr": "::/0"}}]
    assert peers("operator", values)[1:] == [{"ipBlock": {"cidr": "::/0"}}]


@pytest.mark.parametrize(("component", "values"), [("beanstalkd", {}), ("couchbase", DEVELOPMENT)])
def test_only_workers_of_opened_namespaces_reach_queue_and_datastore(
    component: str, values: Object
) -> None:
    found = peers(component, join(values, {"operator": {"clusterWide": True}}))

    workers = [peer for peer in found if "namespaceSelector" in peer]
    assert [peer["namespaceSelector"] for peer in workers] == [
        named("zerog")["namespaceSelector"], OPEN,
    ]  # fmt: skip
    assert all("podSelector" in peer for peer in found)
    assert all("zerog.dev/role" in str(peer["podSelector"]) for peer in workers)


def ports(component: str, values: Object) -> dict[int, Any]:
    """The ports that a component may connect to, and where."""
    spec = policy(component, join(values, EGRESS))
    assert "Egress" in spec["policyTypes"]
    return {port["port"]: rule.get("to", "anywhere")
            for rule in spec["egress"] for port in rule.get("ports", [])}  # fmt: skip


def test_without_egress_rules_nobody_is_kept_from_connecting() -> None:
    assert "Egress" not in render({}).text.replace("egress", "")


def test_everybody_reaches_what_the_work_needs_and_nothing_else() -> None:
    development = [{"podSelector": {"matchLabels": {
        "app.kubernetes.io/name": "zerog", "app.kubernetes.io/instance": "zerog",
        "app.kubernetes.io/component": "couchbase"}}}]  # fmt: skip
    own = {"beanstalkd": {"enabled": False, "address": "queue.example:1234"}}
    tokens = {"auth": {"mode": "tokens", "existingSecret": "x"}}

    assert set(ports("api", {})) == {53, 11300, 443, 6443}
    assert set(ports("operator", {})) == {53, 11300, 443, 6443}
    assert set(ports("api", join(own, tokens))) == {53, 1234}
    assert ports("api", DEVELOPMENT)[11210] == development
    assert set(ports("init", COUCHBASE)) == {53, 8091, 11207, 11210, 18091}
    assert policy("beanstalkd", EGRESS)["egress"] == []


def test_egress_goes_where_the_values_say() -> None:
    where = {"apiServer": [MINE], "couchbase": [MINE], "beanstalkd": [MINE]}
    own = {"beanstalkd": {"enabled": False, "address": "q:1"}, "networkPolicy": {"egress": where}}

    found = ports("operator", join(COUCHBASE, own))

    assert found.pop(53) == "anywhere"
    assert all(to == [MINE] for to in found.values())
