"""The API in front of a real kube-apiserver: real service accounts, real tokens, real roles."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.api.serving import job_type, serving

from zerog.client import ApiError, Client
from zerog_api.auth.kubernetes import NO_SECONDS, YES_SECONDS
from zerog_api.settings import ApiSettings
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.process import wait_until

TYPES = [job_type("Mail", "mail"), job_type("Media", "media")]
AUDIENCE = "zerog"
#: How long a change of rights may take to be seen: the cache's time and the cluster's.
CHANGE_SECONDS = max(YES_SECONDS, NO_SECONDS) + 20.0


@pytest.fixture(scope="module")
def place(cluster: ControlPlane) -> Iterator[str]:
    """A namespace with the API's own service account."""
    if not isinstance(cluster, ControlPlane):
        pytest.skip("the API runs on this machine, beside a control plane that it can reach")
    name = f"access-{time.time_ns()}"
    cluster.kubectl("create", "namespace", name)
    wait_until(
        lambda: "default" in cluster.kubectl("get", "serviceaccounts", "-n", name),
        60,
        "the account",
    )
    for account in ("api", "shop", "reader", "stranger"):
        cluster.kubectl("create", "serviceaccount", account, "-n", name)
    cluster.kubectl("create", "clusterrolebinding", name, "--clusterrole=system:auth-delegator",
                    f"--serviceaccount={name}:api")  # fmt: skip
    allow(cluster, name, "shop", ["create", "get", "list", "update"], ["mail"])
    allow(cluster, name, "reader", ["get", "list"], None)
    yield name
    cluster.kubectl("delete", "clusterrolebinding", name)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def allow(
    cluster: ControlPlane, place: str, account: str, verbs: list[str], queues: list[str] | None
) -> None:
    """Give a service account a role over queues; None means all."""
    rule: dict[str, Any] = {"apiGroups": ["zerog.dev"], "resources": ["jobs"], "verbs": verbs}
    if queues is not None:
        rule["resourceNames"] = queues
    meta = {"name": account, "namespace": place}
    items = [
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta,
         "rules": [rule]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta,
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
         "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": place}]},
    ]  # fmt: skip
    objects = {"apiVersion": "v1", "kind": "List", "items": items}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(objects))


def token_of(cluster: ControlPlane, place: str, account: str, audience: str = AUDIENCE) -> str:
    audiences = [f"--audience={audience}"] if audience else []
    return cluster.kubectl("create", "token", account, "-n", place, *audiences).strip()


@pytest.fixture(scope="module")
def folder(cluster: ControlPlane, place: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a pod of the API would find in its service account's folder."""
    made: Path = tmp_path_factory.mktemp("account")
    (made / "token").write_text(token_of(cluster, place, "api", ""))
    (made / "namespace").write_text(place)
    (made / "ca.crt").write_bytes(cluster.layout.authority.read_bytes())
    return made


@pytest.fixture(scope="module")
def url(
    cluster: ControlPlane, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    settings = ApiSettings(
        auth="kubernetes", kubernetes_url=cluster.server, service_account_path=str(folder),
        token_audiences=(AUDIENCE,), anonymous_metrics=0,
    )  # fmt: skip
    with serving(tmp_path_factory.mktemp("api"), settings, TYPES) as found:
        yield found


@pytest.fixture(scope="module")
def token(cluster: ControlPlane, place: str) -> Callable[[str], str]:
    """Return a real token of a service account."""
    return lambda account: token_of(cluster, place, account)


def status(url: str, token: str, method: str, path: str, body: Any = None) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.request(method, url + path, headers=headers, json=body, timeout=30).status_code


def test_a_role_over_one_queue_lets_into_that_queue_only(
    url: str, token: Callable[[str], str], place: str
) -> None:
    with Client(url, token=token("shop")) as client:
        uuid = client.submit("Mail", {})
        assert client.progress(uuid)["state"] == "queued"
        assert uuid in {job["uuid"] for job in client.list()}
        assert [item["name"] for item in client.types()] == ["Mail"]
        assert client.cancel(uuid)["state"] == "cancelled"
        with pytest.raises(ApiError) as caught:
            client.submit("Media", {})
        with pytest.raises(ApiError) as undeleted:
            client.delete(uuid)

    account = f"system:serviceaccount:{place}:shop"
    assert str(caught.value) == f"{account} may not create jobs in this queue"
    assert str(undeleted.value) == f"{account} may not delete jobs in this queue"


def test_a_role_without_names_is_for_all_queues(url: str, token: Callable[[str], str]) -> None:
    reader = token("reader")

    assert status(url, reader, "GET", "/v1/jobs") == 200
    assert status(url, reader, "GET", "/v1/jobs?queue=media") == 200
    assert status(url, reader, "GET", "/v1/types/Media") == 200
    assert status(url, reader, "POST", "/v1/jobs/Mail", {}) == 403


def test_an_account_without_a_role_gets_nothing(url: str, token: Callable[[str], str]) -> None:
    stranger = token("stranger")

    assert status(url, stranger, "GET", "/v1/jobs") == 403
    assert status(url, stranger, "POST", "/v1/jobs/Mail", {}) == 403
    assert status(url, stranger, "GET", "/metrics") == 403


def test_a_token_for_somebody_else_does_not_count(
    url: str, cluster: ControlPlane, place: str, token: Callable[[str], str]
) -> None:
    for_the_cluster = token_of(cluster, place, "shop", "")
    for_another = token_of(cluster, place, "shop", "another")
    header, payload, signature = token("shop").split(".")
    forged = ".".join([header, payload, signature[:-8] + "AAAAAAAA"])
    unsigned = ".".join([header, payload, ""])

    for bad in (for_the_cluster, for_another, forged, unsigned, "x.y.z", "x" * 5000):
        assert status(url, bad, "GET", "/v1/jobs") == 401


def test_metrics_are_a_non_resource_url(
    url: str, cluster: ControlPlane, place: str, token: Callable[[str], str]
) -> None:
    name = f"{place}-metrics"
    cluster.kubectl("create", "clusterrole", name, "--verb=get", "--non-resource-url=/metrics")
    cluster.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}",
                    f"--serviceaccount={place}:reader")  # fmt: skip
    reader = token("reader")
    try:
        wait_until(lambda: status(url, reader, "GET", "/metrics") == 200, CHANGE_SECONDS, "metrics")
    finally:
        cluster.kubectl("delete", f"clusterrole/{name}", f"clusterrolebinding/{name}")


def test_a_right_that_is_taken_away_ends_within_seconds(
    url: str, cluster: ControlPlane, place: str
) -> None:
    cluster.kubectl("create", "serviceaccount", "guest", "-n", place)
    allow(cluster, place, "guest", ["list"], ["mail"])
    guest = token_of(cluster, place, "guest")
    listing = "/v1/jobs?queue=mail"
    wait_until(lambda: status(url, guest, "GET", listing) == 200, CHANGE_SECONDS, "the right")

    cluster.kubectl("delete", "rolebinding", "guest", "-n", place)
    wait_until(lambda: status(url, guest, "GET", listing) == 403, CHANGE_SECONDS, "its end")

    cluster.kubectl("delete", "serviceaccount", "guest", "-n", place)
    wait_until(lambda: status(url, guest, "GET", listing) == 401, CHANGE_SECONDS, "the token's end")


def test_an_api_that_may_not_ask_answers_503_and_lets_nobody_in(
    cluster: ControlPlane, place: str, folder: Path, tmp_path: Path, token: Callable[[str], str]
) -> None:
    account = tmp_path / "account"
    account.mkdir()
    for name in ("namespace", "ca.crt"):
        (account / name).write_bytes((folder / name).read_bytes())
    (account / "token").write_text(token_of(cluster, place, "stranger", ""))
    settings = ApiSettings(
        auth="kubernetes", kubernetes_url=cluster.server, service_account_path=str(account),
        token_audiences=(AUDIENCE,),
    )  # fmt: skip
    with serving(tmp_path, settings, TYPES) as url:
        headers = {"Authorization": f"Bearer {token('shop')}"}
        answer = httpx.post(f"{url}/v1/jobs/Mail", json={}, headers=headers, timeout=30)

        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert answer.json()["code"] == "authentication-unavailable"
        assert httpx.get(f"{url}/readyz").status_code == 200


def test_without_an_api_server_nobody_gets_in(
    folder: Path, cluster: ControlPlane, tmp_path: Path, token: Callable[[str], str]
) -> None:
    settings = ApiSettings(auth="kubernetes", kubernetes_url="https://127.0.0.1:1",
                           service_account_path=str(folder), deadline_seconds=2)  # fmt: skip
    with serving(tmp_path, settings, TYPES) as url:
        assert status(url, token("shop"), "GET", "/v1/jobs") == 503
