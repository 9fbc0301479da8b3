"""What holds whatever the values are."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.chart.variants import COUCHBASE, DEVELOPMENT, EXTRAS, VARIANTS, WORKERS

from zerog_tools.chart.helm import (
    HelmError,
    Object,
    Rendered,
    join,
    render,
    run_helm,
    with_registry,
)
from zerog_tools.cluster.binaries import KUBERNETES_VERSION
from zerog_tools.repository import CHART

#: Labels that every object carries.
LABELS = {f"app.kubernetes.io/{name}" for name in
          ("name", "instance", "component", "version", "part-of", "managed-by")}  # fmt: skip
CONTRADICTIONS: list[tuple[Object, str]] = [
    ({"api": {"replicas": 2}}, "set api.replicas=1"),
    ({"api": {"autoscaling": {"enabled": True}}}, "api.autoscaling.enabled=false"),
    ({"operator": {"namespaces": ["other"]}}, "add zerog to operator.namespaces"),
    ({"operator": {"clusterWide": True, "namespaces": ["a"]}}, "leave them empty"),
    (join(COUCHBASE, {"couchbase": {"workers": {"username": "w"}}}), "workers.existingSecret"),
    (join(COUCHBASE, {"couchbase": {"workers": {"existingSecret": "w"}}}), "workers.username"),
    (join(WORKERS, {"couchbase": {"username": "w"}}), "couchbase.workers.username"),
    (
        join(DEVELOPMENT, {"couchbase": {"workers": {"username": "w", "existingSecret": "w"}}}),
        "leave couchbase.workers empty",
    ),
    ({"couchbase": {"workers": {"username": "w", "existingSecret": "w"}}}, "datastore=couchbase"),
    ({"beanstalkd": {"address": "q:1"}}, "beanstalkd.enabled=false"),
    ({"beanstalkd": {"enabled": False}}, "beanstalkd.address=host:port"),
    ({"datastore": "couchbase"}, "couchbase.connectionString=couchbases://host"),
    (join(COUCHBASE, {"couchbase": {"password": "x"}}), "keep one"),
    (join(COUCHBASE, {"couchbase": {"existingSecret": ""}}), "couchbase.existingSecret"),
    (join(COUCHBASE, {"couchbase": {"development": {"enabled": True}}}), "leave it empty"),
    (join(DEVELOPMENT, {"couchbase": {"objects": {"enabled": True}}}), "the Couchbase operator"),
    (
        join(COUCHBASE, {"couchbase": {"objects": {"replicas": 3}}}),
        "couchbase.durability=none",
    ),
    (
        join(COUCHBASE, {"couchbase": {"existingSecretKey": "other"}}),
        "couchbase.existingSecretKey: the Couchbase operator",
    ),
    (
        join(WORKERS, {"couchbase": {"workers": {"existingSecretKey": "other"}}}),
        "couchbase.workers.existingSecretKey: the Couchbase operator",
    ),
    ({"couchbase": {"connectionString": "couchbase://h"}}, "set datastore=couchbase"),
    ({"auth": {"mode": "tokens"}}, "auth.existingSecret"),
    ({"auth": {"existingSecret": "x"}}, "auth.mode=tokens"),
    (
        {
            "auth": {"anonymousMetrics": False},
            "metrics": {"serviceMonitor": {"enabled": True}},
            "networkPolicy": {"enabled": False},
        },
        "metrics.serviceMonitor.authorization",
    ),
    ({"imageRegistry": ""}, "imageRegistry=registry.example/zerog"),
    ({"imageRegistry": "", "api": {"image": {"repository": "x"}}}, "make images"),
    ({"api": {"ingress": {"enabled": True}}}, "api.ingress.hosts"),
    (
        {"api": {"ingress": {"enabled": True, "hosts": [{"host": "x.example"}]}}},
        "networkPolicy.apiFrom",
    ),
    (
        {"api": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]}}},
        "networkPolicy.apiFrom",
    ),
    ({"api": {"service": {"type": "LoadBalancer"}}}, "networkPolicy.apiFrom"),
    ({"metrics": {"serviceMonitor": {"enabled": True}}}, "networkPolicy.metricsFrom"),
    ({"networkPolicy": {"enabled": False, "egress": {"enabled": True}}}, "networkPolicy.enabled"),
    (
        join(COUCHBASE, {"api": {"autoscaling": {"enabled": True, "minReplicas": 20}}}),
        "api.autoscaling.maxReplicas: lower",
    ),
    ({"api": {"httpRoute": {"enabled": True}}}, "api.httpRoute.parentRefs"),
    ({"api": {"serviceAccount": {"create": False}}}, "api.serviceAccount.name"),
]


@pytest.fixture(params=list(VARIANTS))
def rendered(request: pytest.FixtureRequest) -> Rendered:
    return render(VARIANTS[request.param])


def containers(rendered: Rendered) -> Iterator[tuple[str, Object, Object]]:
    for name, spec in rendered.pod_specs():
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            yield f"{name}/{container['name']}", spec, container


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_helm_finds_nothing_to_complain_about(variant: str) -> None:
    values = with_registry(VARIANTS[variant])
    lint = ["lint", "--strict", "--kube-version", KUBERNETES_VERSION, "--values", "-"]
    run_helm(*lint, str(CHART), stdin=values)


def test_every_object_has_its_name_its_namespace_and_all_labels(rendered: Rendered) -> None:
    seen = set()
    for item in rendered.objects:
        metadata = item["metadata"]
        key = (item["kind"], metadata.get("namespace"), metadata["name"])
        assert key not in seen
        seen.add(key)
        assert set(metadata["labels"]) >= LABELS, key
        assert metadata["labels"]["helm.sh/chart"].startswith("zerog-")


def test_selectors_are_of_what_never_changes(rendered: Rendered) -> None:
    for item in [*rendered.of_kind("Deployment"), *rendered.of_kind("StatefulSet")]:
        selector = item["spec"]["selector"]["matchLabels"]
        assert set(selector) == {
            "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component",
        }  # fmt: skip
        assert selector.items() <= item["spec"]["template"]["metadata"]["labels"].items()


def test_every_container_is_restricted_and_asks_for_resources(rendered: Rendered) -> None:
    for name, spec, container in containers(rendered):
        security = container["securityContext"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert security["allowPrivilegeEscalation"] is False, name
        # Nobody here could see which places Couchbase's image writes to.
        assert security["readOnlyRootFilesystem"] is ("couchbase" not in name), name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert container["resources"]["requests"], name
        assert container["resources"]["limits"]["memory"], name


def test_services_of_the_namespace_do_not_look_like_settings(rendered: Rendered) -> None:
    assert all(spec["enableServiceLinks"] is False for _, spec in rendered.pod_specs())


def test_no_image_is_one_that_moves(rendered: Rendered) -> None:
    for name, _, container in containers(rendered):
        assert re.search(r"(:(community-)?[0-9][^:]*|@sha256:[0-9a-f]{64})$", container["image"]), (
            name
        )


def test_only_those_who_ask_the_api_server_get_a_token(rendered: Rendered) -> None:
    given = {name for name, spec in rendered.pod_specs()
             if spec.get("automountServiceAccountToken", True)}  # fmt: skip
    asks = {"name": "ZEROG_AUTH", "value": "kubernetes"}
    api = rendered.find("Deployment", "zerog-api")["spec"]["template"]["spec"]["containers"][0]

    wanted = {"Deployment/zerog-api"} if asks in api["env"] else set()
    assert given == {"Deployment/zerog-operator"} | wanted


def test_by_default_the_operator_has_rights_in_its_own_namespace_only() -> None:
    rendered = render()

    wide = [rule for role in rendered.of_kind("ClusterRole") for rule in role["rules"]
            if role["metadata"]["name"].endswith("-operator")]  # fmt: skip
    assert wide == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch"]}]
    pods = [role["metadata"]["namespace"] for role in rendered.of_kind("Role")
            if "pods" in json.dumps(role["rules"])]  # fmt: skip
    assert pods == ["zerog"]
    (container,) = rendered.find("Deployment", "zerog-operator")["spec"]["template"]["spec"][
        "containers"
    ]
    assert {"name": "ZEROG_NAMESPACES", "value": "zerog"} in container["env"]


def test_a_team_needs_nothing_that_is_cluster_wide() -> None:
    rendered = render(VARIANTS["example-team"])

    assert [item["kind"] for item in rendered.objects if "namespace" not in item["metadata"]] == []


def test_a_cluster_without_admission_policies_is_told_what_to_do() -> None:
    old = ("--api-versions", "v1/Pod")

    with pytest.raises(HelmError, match=r"operator\.admissionPolicy\.enabled=false"):
        render({}, *old)
    render({"operator": {"admissionPolicy": {"enabled": False}}}, *old)
    render({}, *old, "--api-versions", "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy")


def secrets_of(spec: Object) -> set[str]:
    """The Secrets that are mounted into a pod."""
    projected = [volume.get("projected", {}).get("sources", []) for volume in spec["volumes"]]
    return {source["secret"]["name"] for sources in projected for source in sources}


def worker_spec(rendered: Rendered) -> Object:
    """What the installation gives to workers' pods."""
    config = rendered.find("ConfigMap", "zerog-operator")
    found: Object = json.loads(config["data"]["worker-defaults.json"])
    return found


def test_workers_with_a_user_of_their_own_never_see_the_apis_password() -> None:
    rendered = render(WORKERS)
    workers = worker_spec(rendered)

    assert secrets_of(workers) == {"cb-workers", "cb-ca"}
    assert {"name": "ZEROG_STORE", "value": "couchbases://w@cb.example/zerog/zerog?network=default"
            } in workers["containers"][0]["env"]  # fmt: skip
    for name, spec in rendered.pod_specs():
        if name.startswith(("Deployment", "Job")):
            assert secrets_of(spec) == {"cb", "cb-ca"}
    # Without one they share it.
    assert secrets_of(worker_spec(render(COUCHBASE))) == {"cb", "cb-ca"}


def test_three_replicas_and_other_keys_are_for_those_who_do_without_what_they_break() -> None:
    without_durability = {"durability": "none", "objects": {"replicas": 3}}
    bucket = render(join(COUCHBASE, {"couchbase": without_durability})).find(
        "CouchbaseBucket", "zerog-couchbase"
    )
    own_key = {"existingSecretKey": "other", "objects": {"enabled": False, "replicas": 3}}

    assert bucket["spec"]["replicas"] == 3
    assert "key: other" in render(join(COUCHBASE, {"couchbase": own_key})).text


def test_workers_users_may_work_with_documents_and_ask_for_them_and_nothing_else() -> None:
    rendered = render(WORKERS)

    def roles(group: str) -> set[str]:
        return {role["name"] for role in rendered.find("CouchbaseGroup", group)["spec"]["roles"]}

    assert roles("zerog-couchbase-workers") == {"data_reader", "data_writer", "query_select"}
    assert roles("zerog-couchbase") > roles("zerog-couchbase-workers")
    user = rendered.find("CouchbaseUser", "zerog-couchbase-workers")["spec"]
    assert (user["name"], user["authSecret"]) == ("w", "cb-workers")
    binding = rendered.find("CouchbaseRoleBinding", "zerog-couchbase-workers")["spec"]
    assert binding["roleRef"]["name"] == "zerog-couchbase-workers"
    assert [subject["name"] for subject in binding["subjects"]] == ["zerog-couchbase-workers"]


def test_secrets_are_files_that_only_the_pods_group_reads() -> None:
    for values in (COUCHBASE, DEVELOPMENT, VARIANTS["tokens"]):
        rendered = render(values)
        for _, spec in [*rendered.pod_specs(), ("workers", worker_spec(rendered))]:
            for volume in spec["volumes"]:
                sources = volume.get("projected", {}).get("sources", [volume])
                if any("secret" in source for source in sources) and volume["name"] != "token":
                    assert volume.get("projected", volume.get("secret"))["defaultMode"] == 0o440
                    assert spec["securityContext"]["fsGroup"] == 65532


def test_no_role_has_a_wildcard(rendered: Rendered) -> None:
    for item in [*rendered.of_kind("Role"), *rendered.of_kind("ClusterRole")]:
        for rule in item["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]


@pytest.mark.parametrize(("values", "advice"), CONTRADICTIONS)
def test_what_contradicts_itself_fails_with_what_to_do(values: Object, advice: str) -> None:
    with pytest.raises(HelmError) as refused:
        render(values)

    assert advice in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        {"unknown": 1},
        {"api": {"replica": 2}},
        {"api": {"resources": {"request": {}}}},
        {"api": {"securityContext": {"priviledged": True}}},
        {"operator": {"image": {"tags": "1"}}},
        {"imageRegistry": "registry.example/zerog/"},
        {"api": {"image": {"repository": "registry.example/zerog/api:1"}}},
        {"commonLabels": {"app.kubernetes.io/name": "mine"}},
        {"operator": {"topologySpreadConstraints": [{"topologyKey": "zone"}]}},
        {"workers": {"extraVolumeMounts": [{"name": "scratch"}]}},
        {"api": {"ingress": {"host": "one.example"}}},
        {"networkPolicy": {"egress": {"apiServer": [{"cidr": "10.0.0.1/32"}]}}},
        {"operator": {"admissionPolicy": {"allow": ["hostpath"]}}},
        {"beanstalkd": {"persistence": {"enable": True}}},
        {"workers": {"podSecurityContext": {"runAsRoot": True}}},
        {"api": {"extraEnv": [{"name": "A", "val": "1"}]}},
        {"api": {"replicas": "two"}},
        {"api": {"image": {"pullPolicy": "Sometimes"}}},
        {"api": {"image": {"digest": "abc"}}},
        {"datastore": "postgres"},
        {"auth": {"mode": "none"}},
        {"couchbase": {"connectionString": "couchbase://user:word@host"}},
        {"couchbase": {"development": {"enable": True}}},
    ],
)
def test_what_is_misspelt_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(HelmError, match="values don't meet the specifications of the schema"):
        render(values)


def test_values_are_checked_whatever_is_rendered() -> None:
    for template in ("operator/deployment", "beanstalkd/service", "crds/customresourcedefinition"):
        with pytest.raises(HelmError, match=r"set api\.replicas=1"):
            render({"api": {"replicas": 2}}, "--show-only", f"templates/{template}.yaml")


def test_people_who_may_edit_a_namespace_may_edit_its_pools() -> None:
    rendered = render()
    prefix = "rbac.authorization.k8s.io/aggregate-to-"

    verbs = {}
    for role in rendered.of_kind("ClusterRole"):
        for label in role["metadata"]["labels"]:
            if label.startswith(prefix):
                (rule,) = role["rules"]
                assert rule["resources"] == ["zerogworkerpools"]
                verbs[label.removeprefix(prefix)] = set(rule["verbs"])

    assert verbs["view"] == {"get", "list", "watch"}
    assert verbs["edit"] == verbs["admin"] > verbs["view"]
    assert "aggregate-to" not in render({"crds": {"install": False}}).text


def test_every_host_of_an_ingress_has_its_own_certificate() -> None:
    hosts = [{"host": "a.example", "tlsSecret": "a"}, {"host": "b.example", "tlsSecret": "b"},
             {"host": "plain.example"}]  # fmt: skip
    changed = join(EXTRAS, {"api": {"ingress": {"hosts": hosts}}})

    spec = render(changed).find("Ingress", "zerog-api")["spec"]

    assert [rule["host"] for rule in spec["rules"]] == [item["host"] for item in hosts]
    assert spec["tls"] == [
        {"hosts": ["a.example"], "secretName": "a"},
        {"hosts": ["b.example"], "secretName": "b"},
    ]


def test_no_password_is_anywhere_but_in_a_secret() -> None:
    word = "pa55w0rd-of-the-test"

    rendered = render(join(DEVELOPMENT, {"couchbase": {"password": word}}))

    encoded = base64.b64encode(word.encode()).decode()
    found = [item["kind"] for item in rendered.objects
             if word in json.dumps(item) or encoded in json.dumps(item)]  # fmt: skip
    assert found == ["Secret"]
    assert "ZEROG_COUCHBASE_PASSWORD_FILE" in rendered.text
