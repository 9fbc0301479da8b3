"""Where the chart's own pods come from, what they are called, and where they run."""

from typing import Any

from tests.chart.variants import COUCHBASE, DEVELOPMENT, EXTRAS

from zerog_tools.chart.helm import Object, Rendered, join, render

HOSTNAME = "kubernetes.io/hostname"


def images(values: Object) -> set[str]:
    rendered = render(values)
    pool = rendered.find("ZeroGWorkerPool", "zerog-selftest")
    specs = [spec for _, spec in rendered.pod_specs()] + [pool["spec"]["template"]["spec"]]
    return {container["image"] for spec in specs for container in spec["containers"]}


def pod_of(rendered: Rendered, kind: str, name: str) -> Any:
    return rendered.find(kind, name)["spec"]["template"]


def test_one_value_names_the_registry_of_all_images() -> None:
    found = images({"imageRegistry": "registry.example:5000/zerog"})

    assert found == {f"registry.example:5000/zerog/{name}:0.1.0"
                     for name in ("api", "operator", "beanstalkd", "worker")}  # fmt: skip


def test_an_image_with_a_full_name_comes_from_there() -> None:
    own = {"repository": "mine.example/queue", "tag": "9"}

    found = images({"imageRegistry": "registry.example", "beanstalkd": {"image": own}})

    assert "mine.example/queue:9" in found
    assert "registry.example/api:0.1.0" in found


def test_no_registry_is_needed_if_every_image_has_a_full_name() -> None:
    named = {name: {"image": {"repository": f"x.example/{name}"}}
             for name in ("api", "operator", "beanstalkd", "selfTest")}  # fmt: skip

    assert images({"imageRegistry": "", **named}) >= {"x.example/api:0.1.0"}
    assert "couchbase:community-8.0.2" in images(DEVELOPMENT)


def test_replicas_prefer_a_node_each_unless_the_values_say_where() -> None:
    rendered = render(COUCHBASE)

    for component in ("api", "operator"):
        template = pod_of(rendered, "Deployment", f"zerog-{component}")
        (rule,) = template["spec"]["affinity"]["podAntiAffinity"][
            "preferredDuringSchedulingIgnoredDuringExecution"
        ]
        term = rule["podAffinityTerm"]
        assert term["topologyKey"] == HOSTNAME
        selected = term["labelSelector"]["matchLabels"].items()
        assert selected <= template["metadata"]["labels"].items()
    assert "affinity" not in pod_of(rendered, "StatefulSet", "zerog-beanstalkd")["spec"]
    mine: Object = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    changed = render({"api": {"affinity": mine}})
    assert pod_of(changed, "Deployment", "zerog-api")["spec"]["affinity"] == mine


def test_a_spread_counts_the_components_own_pods_unless_it_says_which() -> None:
    rule = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    other = {**rule, "labelSelector": {"matchLabels": {"app": "x"}}}
    rendered = render({"operator": {"topologySpreadConstraints": [rule, other]}})

    template = pod_of(rendered, "Deployment", "zerog-operator")

    mine, theirs = template["spec"]["topologySpreadConstraints"]
    assert mine["labelSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert theirs == other


def test_common_labels_are_on_every_object_and_pod_and_in_no_selector() -> None:
    rendered = render(join(COUCHBASE, EXTRAS))

    for item in rendered.objects:
        assert item["metadata"]["labels"]["team"] == "media", item["metadata"]["name"]
        spec = item.get("spec", {})
        if item["kind"] in ("Deployment", "StatefulSet", "Job"):
            assert spec["template"]["metadata"]["labels"]["team"] == "media"
        assert "team" not in str(spec.get("selector")) + str(spec.get("podSelector"))


def test_a_pods_own_label_wins_over_a_common_one() -> None:
    rendered = render({"commonLabels": {"team": "a"}, "api": {"podLabels": {"team": "b"}}})

    assert pod_of(rendered, "Deployment", "zerog-api")["metadata"]["labels"]["team"] == "b"
