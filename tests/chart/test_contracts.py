"""What the chart says to ZeroG's own programs is what they understand."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml
from tests.chart.variants import DEVELOPMENT, EXTRAS, VARIANTS

from zerog.cli.main import build_parser
from zerog.settings import ClientSettings, PlaceSettings, Settings, WorkerSettings, load
from zerog.worker.metrics import WorkerMetrics
from zerog_api.command import build_parser as build_api_parser
from zerog_api.edge.metrics import Metrics as ApiMetrics
from zerog_api.settings import ApiSettings
from zerog_operator.defaults import join_defaults, worker_defaults
from zerog_operator.metrics import Metrics as OperatorMetrics
from zerog_operator.pool import PoolSpec
from zerog_operator.resources import PoolIdentity, build_worker_pod
from zerog_operator.settings import OperatorSettings
from zerog_tools.chart.helm import Object, join, render
from zerog_tools.chart.values import read_defaults
from zerog_tools.repository import CHART, ROOT

#: Variables that name files of Secrets and ConfigMaps.
MOUNTED = {"ZEROG_WORKER_DEFAULTS_FILE", "ZEROG_COUCHBASE_PASSWORD_FILE", "ZEROG_TOKEN_FILE"}
ENDS = ("total", "bucket", "sum", "count")
_METRIC = re.compile(r"\bzerog_[a-z_]+")
SETTINGS: dict[str, type[Settings]] = {
    "zerog-api": ApiSettings,
    "zerog-operator": OperatorSettings,
    "zerog-init-1": PlaceSettings,
    "zerog-selftest": ClientSettings,
}


def environment(container: Object) -> dict[str, str]:
    """The variables of a container; mounted files are not here, so what they may hold is."""
    given = {item["name"]: item["value"] for item in container.get("env", []) if "value" in item}
    for name in MOUNTED & given.keys():
        given[name.removesuffix("_FILE")] = "{}"
        del given[name]
    return given


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_program_understands_its_settings(variant: str) -> None:
    for name, spec in render(VARIANTS[variant]).pod_specs():
        if settings := SETTINGS.get(name.partition("/")[2]):
            for container in spec["containers"]:
                load(settings, environment(container))


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_command_is_one_that_there_is(variant: str) -> None:
    for _, spec in render(VARIANTS[variant]).pod_specs():
        for container in spec["containers"]:
            program, *arguments = container.get("command", [""])
            if program == "zerog":
                if arguments[0] == "api":
                    build_api_parser().parse_args(arguments[1:])
                else:
                    build_parser().parse_args(arguments)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_a_worker_understands_what_the_installation_gives_it(variant: str) -> None:
    settings = render(VARIANTS[variant]).find("ConfigMap", "zerog-operator")
    given = OperatorSettings(worker_defaults=settings["data"]["worker-defaults.json"])
    template = join_defaults(
        {"spec": {"containers": [{"name": "worker", "image": "acme:1"}]}}, worker_defaults(given)
    )
    pool = PoolSpec.parse("media", {"jobs": ["acme.jobs"], "template": template})

    pod = build_worker_pod(PoolIdentity("zerog", "media", "uid"), pool, "w")

    (worker,) = pod["spec"]["containers"]
    load(WorkerSettings, environment(worker))
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert worker["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    mounted = {mount["name"] for mount in worker["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["spec"]["volumes"]}


def test_the_pool_of_the_self_test_is_a_pool() -> None:
    pool = render().find("ZeroGWorkerPool", "zerog-selftest")

    spec = PoolSpec.parse("zerog-selftest", pool["spec"])

    assert spec.queue == "selftest"
    assert spec.jobs == ("zerog.selftest",)


def known_metrics() -> set[str]:
    names = set()
    for registry in (OperatorMetrics().registry, ApiMetrics().registry, WorkerMetrics().registry):
        for family in registry.collect():
            names |= {family.name, *(f"{family.name}_{end}" for end in ENDS)}
    return names


def expressions() -> Iterator[str]:
    alerts = yaml.safe_load((CHART / "files/alerts.yaml").read_text())
    for group in alerts["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]
    dashboard = json.loads((CHART / "files/dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        yield variable["query"]


def test_alerts_and_dashboard_ask_for_metrics_that_there_are() -> None:
    asked = {name for text in expressions() for name in _METRIC.findall(text)}

    assert asked
    assert asked <= known_metrics()


def test_each_alert_has_a_section_in_the_runbook_and_a_line_in_the_overview() -> None:
    groups = yaml.safe_load((CHART / "files/alerts.yaml").read_text())["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"]]
    runbook = (ROOT / "docs/howto/runbook.md").read_text()
    overview = (ROOT / "docs/howto/monitoring.md").read_text()

    sections = re.split(r"^## ", runbook, flags=re.MULTILINE)[1:]
    assert sorted(section.split()[0] for section in sections) == sorted(alerts)
    for section in sections:
        parts = ("**What it means.**", "**Look.**", "**Do.**")
        assert [part for part in parts if part not in section] == [], section
    linked = re.findall(r"^\| \[(\w+)\]\(runbook\.md#(\w+)\)", overview, re.MULTILINE)
    assert sorted(linked) == sorted((name, name.lower()) for name in alerts)


def test_the_queries_of_the_docs_ask_for_metrics_that_there_are() -> None:
    pages = (ROOT / f"docs/howto/{name}.md" for name in ("monitoring", "runbook"))
    asked = {name for page in pages for name in _METRIC.findall(page.read_text())}

    assert asked
    assert asked <= known_metrics()


def test_alerts_and_dashboard_are_rendered_whole() -> None:
    rendered = render(EXTRAS)

    rule = rendered.find("PrometheusRule", "zerog-alerts")
    board = rendered.find("ConfigMap", "zerog-dashboard")

    rules = [rule for group in rule["spec"]["groups"] for rule in group["rules"]]
    base = read_defaults()["metrics"]["prometheusRule"]["runbookUrl"]
    for each in rules:
        assert each["annotations"].pop("runbook_url") == f"{base}#{each['alert'].lower()}"
    assert rule["spec"] == yaml.safe_load((CHART / "files/alerts.yaml").read_text())
    assert json.loads(board["data"]["zerog.json"])["uid"] == "zerog"


def test_the_workers_monitor_asks_where_the_operator_lets_them_answer() -> None:
    monitor = render(EXTRAS).find("PodMonitor", "zerog-workers")["spec"]
    spec = PoolSpec.parse("media", {"jobs": ["acme.jobs"], "template": {"spec": {
        "containers": [{"name": "worker", "image": "acme:1"}]}}})  # fmt: skip

    pod = build_worker_pod(PoolIdentity("zerog", "media", "uid"), spec, "w")

    (endpoint,) = monitor["podMetricsEndpoints"]
    (port,) = pod["spec"]["containers"][0]["ports"]
    assert endpoint["port"] == port["name"]
    assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert endpoint["relabelings"][0]["targetLabel"] == "pool"


@pytest.mark.parametrize(
    ("values", "selector"),
    [
        ({}, {"matchNames": ["zerog"]}),
        ({"operator": {"namespaces": ["zerog", "b"]}}, {"matchNames": ["zerog", "b"]}),
        ({"operator": {"clusterWide": True}}, {"any": True}),
    ],
)
def test_workers_are_looked_for_where_pools_may_be(values: Object, selector: Object) -> None:
    monitor = render(join({"metrics": {"podMonitor": {"enabled": True}}}, values))

    assert monitor.find("PodMonitor", "zerog-workers")["spec"]["namespaceSelector"] == selector


def test_a_pools_own_namespace_is_not_hidden_by_the_operators() -> None:
    (endpoint,) = render(EXTRAS).find("ServiceMonitor", "zerog-operator")["spec"]["endpoints"]

    assert endpoint["honorLabels"] is True


def test_the_script_of_the_development_couchbase_arrives_as_it_is() -> None:
    config = render(DEVELOPMENT).find("ConfigMap", "zerog-couchbase")

    script = (CHART / "files/couchbase_development.py").read_text()
    assert config["data"]["couchbase_development.py"].strip() == script.strip()
