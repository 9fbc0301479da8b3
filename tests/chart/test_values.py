"""Every value has an effect, and everything that is said of the values is of them.

Each leaf of values.yaml has a case: the pattern of `CASES` that fits it says on top of which
installation the value is changed, to what, and what is in the rendered text then and was not
before, or the other way round. A new value without a case fails, and so does a case without a
value.
"""

import fnmatch
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.chart.variants import COUCHBASE, DEVELOPMENT, EXTRAS, TOKENS, WORKERS

from zerog_tools.chart.helm import Object, join, nest, render
from zerog_tools.chart.values import leaves, look_up, read_defaults, read_values
from zerog_tools.repository import CHART

HPA = join(COUCHBASE, {"api": {"autoscaling": {"enabled": True}}})
TRIAL: Object = {}
NO_OBJECTS: Object = {"couchbase": {"objects": {"enabled": False}}}
PEERS = [{"podSelector": {"matchLabels": {"app": "x"}}}]
DIGEST = f"sha256:{'0' * 64}"


@dataclass(frozen=True, slots=True)
class Case:
    """How a value is changed, and what that shows."""

    base: Object
    value: Any
    #: Text that is there more often after the change than before.
    shows: str = ""
    #: Text that is there less often.
    hides: str = ""
    #: What has to be changed with it.
    also: Object = field(default_factory=dict)


#: The first pattern that fits a value is its case.
CASES: dict[str, Case] = {
    "nameOverride": Case(TRIAL, "other", "app.kubernetes.io/name: other"),
    "fullnameOverride": Case(TRIAL, "other", "name: other-api"),
    "imageRegistry": Case(TRIAL, "r.example:5000/x", "image: r.example:5000/x/beanstalkd:"),
    "commonLabels": Case(TRIAL, {"team": "x"}, "team: x"),
    "imagePullSecrets": Case(TRIAL, [{"name": "pull-x"}], "pull-x"),
    "datastore": Case(TRIAL, "couchbase", "couchbases://", also=COUCHBASE),
    "auth.mode": Case(TRIAL, "off", "ZEROG_ALLOW_OPEN"),
    "auth.existingSecret": Case(TOKENS, "more-tokens", "secretName: more-tokens"),
    "auth.existingSecretKey": Case(TOKENS, "x.json", "key: x.json"),
    "auth.audiences": Case(TRIAL, ["zerog-x"], "value: zerog-x"),
    "auth.anonymousMetrics": Case(TRIAL, False, "ZEROG_ANONYMOUS_METRICS"),
    "sqlite.existingClaim": Case(TRIAL, "mine-x", "claimName: mine-x"),
    "sqlite.storageClass": Case(TRIAL, "fast-x", "storageClassName: fast-x"),
    "sqlite.size": Case(TRIAL, "7Gi", "storage: 7Gi"),
    "couchbase.connectionString": Case(COUCHBASE, "couchbase://x,y?a=b",
                                       "couchbase://zerog@x,y/zerog/zerog?a=b"),
    "couchbase.bucket": Case(COUCHBASE, "bucket-x", "/bucket-x/zerog"),
    "couchbase.scope": Case(COUCHBASE, "scope-x", "/zerog/scope-x"),
    "couchbase.username": Case(COUCHBASE, "user-x", "couchbases://user-x@"),
    "couchbase.existingSecret": Case(COUCHBASE, "secret-x", "name: secret-x"),
    "couchbase.existingSecretKey": Case(COUCHBASE, "key-x", "key: key-x", also=NO_OBJECTS),
    "couchbase.password": Case(DEVELOPMENT, "other", "password: b3RoZXI="),
    "couchbase.caSecret": Case(COUCHBASE, "ca-x", "name: ca-x"),
    "couchbase.caSecretKey": Case(COUCHBASE, "tls-x", "key: tls-x"),
    "couchbase.durability": Case(COUCHBASE, "none", "value: none"),
    "couchbase.listing": Case(COUCHBASE, "kv", "value: kv"),
    "couchbase.init.enabled": Case(COUCHBASE, False, hides="kind: Job"),
    "couchbase.init.timeoutSeconds": Case(COUCHBASE, 77, "activeDeadlineSeconds: 77"),
    "couchbase.init.indexReplicas": Case(COUCHBASE, 1, '--index-replicas, "1"'),
    "couchbase.workers.username": Case(WORKERS, "w-x", "couchbases://w-x@cb.example"),
    "couchbase.workers.existingSecret": Case(WORKERS, "secret-x", '"name": "secret-x"'),
    "couchbase.workers.existingSecretKey": Case(WORKERS, "key-x", '"key": "key-x"',
                                                   also=NO_OBJECTS),
    "couchbase.objects.enabled": Case(COUCHBASE, False, hides="kind: CouchbaseBucket"),
    "couchbase.objects.labels": Case(COUCHBASE, {"cluster": "x"}, "cluster: x"),
    "couchbase.objects.memoryQuota": Case(COUCHBASE, "777Mi", "memoryQuota: 777Mi"),
    "couchbase.objects.replicas": Case(COUCHBASE, 2, "replicas: 2"),
    "couchbase.development.enabled": Case(
        COUCHBASE, True, "image: couchbase:community",
        also={"couchbase": {"connectionString": "", "objects": {"enabled": False}}}),
    "couchbase.development.memoryMebibytes": Case(DEVELOPMENT, 777, 'value: "777"'),
    "couchbase.development.storageClass": Case(DEVELOPMENT, "fast-x", "storageClassName: fast-x"),
    "couchbase.development.size": Case(DEVELOPMENT, "9Gi", "storage: 9Gi"),
    "api.replicas": Case(COUCHBASE, 5, "replicas: 5"),
    "api.autoscaling.enabled": Case(COUCHBASE, True, "kind: HorizontalPodAutoscaler"),
    "api.autoscaling.minReplicas": Case(HPA, 3, "minReplicas: 3"),
    "api.autoscaling.maxReplicas": Case(HPA, 33, "maxReplicas: 33"),
    "api.autoscaling.targetCpuPercent": Case(HPA, 55, "averageUtilization: 55"),
    "*.podDisruptionBudget.enabled": Case(TRIAL, True, "kind: PodDisruptionBudget"),
    "*.podDisruptionBudget.maxUnavailable": Case(EXTRAS, "25%", "maxUnavailable: 25%"),
    "*.serviceAccount.create": Case(
        {"api": {"serviceAccount": {"name": "x"}}, "operator": {"serviceAccount": {"name": "x"}}},
        False, hides="kind: ServiceAccount\n"),
    "*.serviceAccount.name": Case(TRIAL, "account-x", "serviceAccountName: account-x"),
    "*.serviceAccount.annotations": Case(TRIAL, {"a.example/x": "ok"}, "a.example/x: ok"),
    "api.maxBodyBytes": Case(TRIAL, 2097152, 'value: "2097152"'),
    "api.graceSeconds": Case(TRIAL, 33, "terminationGracePeriodSeconds: 43"),
    "api.corsOrigins": Case(TRIAL, ["https://a.example", "https://b.example"],
                            "value: https://a.example https://b.example"),
    "api.trustedProxies": Case(TRIAL, ["10.1.2.3", "10.2.0.0/16"],
                               "value: 10.1.2.3 10.2.0.0/16"),
    "api.service.type": Case(EXTRAS, "LoadBalancer", "type: LoadBalancer"),
    "api.service.port": Case(TRIAL, 8888, "port: 8888"),
    "api.service.annotations": Case(TRIAL, {"a.example/x": "ok"}, "a.example/x: ok"),
    "api.ingress.enabled": Case(join(EXTRAS, {"api": {"ingress": {"enabled": False}}}), True,
                                "kind: Ingress"),
    "api.ingress.className": Case(EXTRAS, "class-x", "ingressClassName: class-x"),
    "api.ingress.annotations": Case(EXTRAS, {"a.example/x": "ok"}, "a.example/x: ok"),
    "api.ingress.hosts": Case(EXTRAS, [{"host": "x.example", "tlsSecret": "tls-x"}],
                              "secretName: tls-x"),
    "api.httpRoute.enabled": Case(join(EXTRAS, {"api": {"httpRoute": {"enabled": False}}}), True,
                                  "kind: HTTPRoute"),
    "api.httpRoute.annotations": Case(EXTRAS, {"a.example/x": "ok"}, "a.example/x: ok"),
    "api.httpRoute.parentRefs": Case(EXTRAS, [{"name": "gateway-x"}], "name: gateway-x"),
    "api.httpRoute.hostnames": Case(EXTRAS, ["x.example"], "- x.example"),
    "operator.replicas": Case(TRIAL, 3, "replicas: 3"),
    "operator.namespaces": Case(COUCHBASE, ["team-x"], "namespace: team-x"),
    "operator.clusterWide": Case(TRIAL, True, "zerog.dev/pools", hides="ZEROG_NAMESPACES"),
    "operator.admissionPolicy.enabled": Case(TRIAL, False, hides="kind: ValidatingAdmissionPolicy"),
    "operator.admissionPolicy.allow": Case(TRIAL, ["hostPath"], hides="rule hostPath"),
    "operator.watchNodes": Case(TRIAL, False, 'value: "0"', hides="resources: [nodes]"),
    "operator.checkImages": Case(TRIAL, False, 'value: "0"'),
    "workers.resources": Case(TRIAL, {"limits": {"memory": "77Mi"}}, '"memory": "77Mi"'),
    "workers.extraVolumes": Case(TRIAL, [{"name": "more-x"}], '"name": "more-x"'),
    "workers.extraVolumeMounts": Case(TRIAL, [{"name": "m", "mountPath": "/more-x"}],
                                      '"mountPath": "/more-x"'),
    "workers.priorityClassName": Case(TRIAL, "class-x", '"priorityClassName": "class-x"'),
    "workers.extraEnv": Case(TRIAL, [{"name": "A_X", "value": "y"}], '"name": "A_X"'),
    "workers.securityContext.capabilities.drop": Case(TRIAL, ["X"], '"X"'),
    "workers.securityContext.readOnlyRootFilesystem": Case(
        TRIAL, False, '"readOnlyRootFilesystem": false'),
    "workers.securityContext.allowPrivilegeEscalation": Case(
        TRIAL, True, '"allowPrivilegeEscalation": true'),
    "workers.podSecurityContext.seccompProfile.type": Case(TRIAL, "Unconfined", '"Unconfined"'),
    "workers.podSecurityContext.runAsNonRoot": Case(TRIAL, False, '"runAsNonRoot": false'),
    "workers.podSecurityContext.*": Case(TRIAL, 4711, ": 4711"),
    "beanstalkd.enabled": Case(TRIAL, False, "value: x:1", also={"beanstalkd": {"address": "x:1"}}),
    "beanstalkd.address": Case({"beanstalkd": {"enabled": False, "address": "a:1"}}, "x:2",
                               "value: x:2"),
    "beanstalkd.fsyncMilliseconds": Case(TRIAL, 0, "-f0"),
    "beanstalkd.persistence.enabled": Case(TRIAL, False, hides="volumeClaimTemplates:"),
    "beanstalkd.persistence.storageClass": Case(TRIAL, "fast-x", "storageClassName: fast-x"),
    "beanstalkd.persistence.size": Case(TRIAL, "3Gi", "storage: 3Gi"),
    "crds.install": Case(TRIAL, False, hides="kind: CustomResourceDefinition"),
    "crds.keep": Case(TRIAL, False, hides="helm.sh/resource-policy: keep"),
    "rbac.aggregate": Case(TRIAL, False, hides="aggregate-to-edit"),
    "rbac.create": Case(TRIAL, False, hides="kind: RoleBinding"),
    "networkPolicy.enabled": Case(TRIAL, False, hides="kind: NetworkPolicy"),
    "networkPolicy.egress.enabled": Case(TRIAL, True, "policyTypes: [Ingress, Egress]"),
    "networkPolicy.egress.apiServer": Case(EXTRAS, PEERS, "app: x"),
    "networkPolicy.egress.couchbase": Case(join(COUCHBASE, EXTRAS), PEERS, "app: x"),
    "networkPolicy.egress.beanstalkd": Case(
        join(EXTRAS, {"beanstalkd": {"enabled": False, "address": "q:1234"}}), PEERS, "app: x"),
    "networkPolicy.egress.extra": Case(EXTRAS, [{"to": PEERS}], "app: x"),
    "networkPolicy.*From": Case(TRIAL, PEERS, "app: x"),
    "metrics.serviceMonitor.enabled": Case(
        {"networkPolicy": {"enabled": False}}, True, "kind: ServiceMonitor"),
    "metrics.serviceMonitor.interval": Case(EXTRAS, "77s", "interval: 77s"),
    "metrics.serviceMonitor.labels": Case(EXTRAS, {"release": "x"}, "release: x"),
    "metrics.serviceMonitor.authorization": Case(
        EXTRAS, {"credentials": {"name": "token-x", "key": "token"}}, "name: token-x"),
    "metrics.podMonitor.enabled": Case(TRIAL, True, "kind: PodMonitor"),
    "metrics.podMonitor.interval": Case(EXTRAS, "77s", "interval: 77s"),
    "metrics.podMonitor.labels": Case(EXTRAS, {"release": "x"}, "release: x"),
    "metrics.prometheusRule.runbookUrl": Case(
        EXTRAS, "https://wiki.example/zerog", "https://wiki.example/zerog#zerogoperatorgone"),
    "metrics.prometheusRule.enabled": Case(TRIAL, True, "kind: PrometheusRule"),
    "metrics.prometheusRule.labels": Case(EXTRAS, {"release": "x"}, "release: x"),
    "metrics.dashboard.enabled": Case(TRIAL, True, "zerog.json"),
    "metrics.dashboard.labels.grafana_dashboard": Case(EXTRAS, "x", "grafana_dashboard: x"),
    "selfTest.timeoutSeconds": Case(TRIAL, 77, "activeDeadlineSeconds: 77"),
    "selfTest.existingSecret": Case(TOKENS, "token-x", "secretName: token-x"),
    "selfTest.existingSecretKey": Case(TOKENS, "key-x", "key: key-x"),
    # What several components have.
    "*.image.repository": Case(DEVELOPMENT, "x.example/y", "image: x.example/y:"),
    "*.image.tag": Case(DEVELOPMENT, "7.7", ":7.7"),
    "*.image.digest": Case(DEVELOPMENT, DIGEST, f"@{DIGEST}"),
    "*.image.pullPolicy": Case(DEVELOPMENT, "Always", "imagePullPolicy: Always"),
    "*.resources.*": Case(DEVELOPMENT, "77", '"77"'),
    "*.securityContext.capabilities.drop": Case(DEVELOPMENT, ["X"], "- X"),
    "*.securityContext.allowPrivilegeEscalation": Case(
        DEVELOPMENT, True, "allowPrivilegeEscalation: true"),
    "couchbase.*.readOnlyRootFilesystem": Case(
        DEVELOPMENT, True, hides="readOnlyRootFilesystem: false"),
    "*.securityContext.readOnlyRootFilesystem": Case(
        DEVELOPMENT, False, "readOnlyRootFilesystem: false"),
    "*.podSecurityContext.runAsNonRoot": Case(DEVELOPMENT, False, "runAsNonRoot: false"),
    "*.podSecurityContext.seccompProfile.type": Case(DEVELOPMENT, "Unconfined", "Unconfined"),
    "*.podSecurityContext.*": Case(DEVELOPMENT, 4711, ": 4711"),
    "*.nodeSelector": Case(DEVELOPMENT, {"disk": "x"}, "disk: x"),
    "*.tolerations": Case(DEVELOPMENT, [{"key": "taint-x"}], "key: taint-x"),
    "*.affinity": Case(DEVELOPMENT, {"nodeAffinity": {"x": 1}}, "nodeAffinity:"),
    "*.podAnnotations": Case(DEVELOPMENT, {"a.example/x": "ok"}, "a.example/x: ok"),
    "*.podLabels": Case(DEVELOPMENT, {"label-x": "ok"}, "label-x: ok"),
    "*.topologySpreadConstraints": Case(
        DEVELOPMENT, [{"maxSkew": 1, "topologyKey": "t-x", "whenUnsatisfiable": "DoNotSchedule"}],
        "topologyKey: t-x"),
    "*.priorityClassName": Case(DEVELOPMENT, "class-x", "priorityClassName: class-x"),
    "*.extraVolumes": Case(DEVELOPMENT, [{"name": "more-x", "emptyDir": {}}], "name: more-x"),
    "*.extraVolumeMounts": Case(DEVELOPMENT, [{"name": "m", "mountPath": "/more-x"}],
                                "mountPath: /more-x"),
    "*.extraEnv": Case(DEVELOPMENT, [{"name": "A_X", "value": "y"}], "name: A_X"),
}  # fmt: skip
LEAVES = [".".join(path) for path in leaves(read_defaults())]


def find_case(name: str) -> str:
    return next((pattern for pattern in CASES if fnmatch.fnmatchcase(name, pattern)), "")


@pytest.mark.parametrize("name", LEAVES)
def test_a_value_has_an_effect(name: str) -> None:
    pattern = find_case(name)
    assert pattern, f"{name} has no case: add one to CASES"
    case = CASES[pattern]

    before = render(case.base).text
    after = render(join(case.base, case.also, nest(name, case.value))).text

    assert case.shows or case.hides
    if case.shows:
        assert after.count(case.shows) > before.count(case.shows)
    if case.hides:
        assert after.count(case.hides) < before.count(case.hides)


def test_every_case_is_of_a_value() -> None:
    assert {find_case(name) for name in LEAVES} == set(CASES)


def test_every_value_has_a_text() -> None:
    assert all(value.text.endswith((".", "`.")) for value in read_values())


def test_the_schema_knows_the_values_and_no_others() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def keys_of(node: dict[str, Any], path: tuple[str, ...]) -> set[tuple[str, ...]]:
        found = {path}
        for key, child in node.get("properties", {}).items():
            found |= keys_of(child, (*path, key))
        return found

    defaults = read_defaults()
    documented = {value.path for value in read_values()}
    in_schema = keys_of(schema, ()) - {(), ("global",)}
    for path in leaves(defaults):
        assert any(path[: length + 1] in in_schema for length in range(len(path))), path
    for path in in_schema:
        above = [path[:length] for length in range(1, len(path))]
        if not any(isinstance(look_up(defaults, one), dict) and one in documented
                   for one in above):  # fmt: skip
            look_up(defaults, path)
