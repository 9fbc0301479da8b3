"""What is asked of Kubernetes and how its answers are read; and that no answer opens nothing."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from zerog.model.errors import ConfigError
from zerog_api.auth import kubernetes
from zerog_api.auth.access import Verb
from zerog_api.auth.authority import AuthorityAwayError, Caller
from zerog_api.auth.kubernetes import (
    Kubernetes,
    ServiceAccount,
    build_access_review,
    build_token_review,
    read_access_review,
    read_token_review,
)

ALICE = Caller("alice", "1", ("devs",), (("scopes", ("a", "b")),))
TOKEN = "secret-token-of-alice"
USER = {"username": "alice", "uid": "1", "groups": ["devs"], "extra": {"scopes": ["a", "b"]}}


def test_a_review_asks_for_the_audiences_that_are_set() -> None:
    assert "audiences" not in build_token_review("t", ())["spec"]
    assert build_token_review("t", ("zerog",))["spec"]["audiences"] == ["zerog"]


def test_a_good_token_names_its_caller_with_all_that_rights_hang_on() -> None:
    assert read_token_review({"status": {"authenticated": True, "user": USER}}, ()) == ALICE


@pytest.mark.parametrize(
    ("status", "audiences"),
    [
        ({}, ()),
        ({"authenticated": False, "user": USER}, ()),
        ({"authenticated": True, "user": USER}, ("zerog",)),
        ({"authenticated": True, "user": USER, "audiences": ["other"]}, ("zerog",)),
    ],
    ids=["no word", "not authenticated", "audiences not checked", "another audience"],
)
def test_a_token_that_is_not_confirmed_is_none(status: Any, audiences: tuple[str, ...]) -> None:
    assert read_token_review({"status": status}, audiences) is None


def test_a_queue_is_the_name_of_the_virtual_resource() -> None:
    spec = build_access_review(ALICE, Verb.CREATE, "mail", "shop")["spec"]

    assert spec["resourceAttributes"] == {
        "namespace": "shop",
        "group": "zerog.dev",
        "resource": "jobs",
        "verb": "create",
        "name": "mail",
    }
    assert (spec["user"], spec["groups"], spec["uid"]) == ("alice", ["devs"], "1")
    assert spec["extra"] == {"scopes": ["a", "b"]}


def test_all_queues_are_no_name_which_a_right_to_one_queue_does_not_match() -> None:
    spec = build_access_review(ALICE, Verb.LIST, None, "shop")["spec"]

    assert spec["resourceAttributes"]["name"] == ""


def test_metrics_are_a_path() -> None:
    spec = build_access_review(ALICE, Verb.METRICS, None, "shop")["spec"]

    assert spec["nonResourceAttributes"] == {"path": "/metrics", "verb": "get"}
    assert "resourceAttributes" not in spec


@pytest.mark.parametrize(
    ("status", "allowed"),
    [({"allowed": True}, True), ({"allowed": False}, False), ({}, False),
     ({"allowed": "true"}, False), ({"allowed": True, "denied": True}, False),
     ({"evaluationError": "x"}, False)],
)  # fmt: skip
def test_only_a_clear_yes_allows(status: Any, allowed: bool) -> None:
    assert read_access_review({"status": status}) is allowed


Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("own-token")
    (tmp_path / "namespace").write_text("zerog")
    return tmp_path


Make = Callable[[Answer], Kubernetes]


@pytest.fixture
def asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make an authority whose API server answers as the test says."""
    monkeypatch.setattr(ServiceAccount, "trust", lambda self: False)

    def make(answer: Answer) -> Kubernetes:
        made = Kubernetes(
            "https://cluster", ServiceAccount(folder), namespace=None, audiences=(),
            deadline_seconds=5,
        )  # fmt: skip
        made._http = httpx.AsyncClient(
            base_url="https://cluster", transport=httpx.MockTransport(answer)
        )
        return made

    return make


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 502, 503, 504])
async def test_an_api_server_that_refuses_opens_nothing(asked: Make, status: int) -> None:
    authority = asked(lambda request: httpx.Response(status, text="no"))

    with pytest.raises(AuthorityAwayError):
        await authority.identify(TOKEN)
    with pytest.raises(AuthorityAwayError):
        await authority.may(ALICE, Verb.GET, "mail")


@pytest.mark.parametrize("body", ["", "no JSON", "[]", "null", "{}", '{"status": null}',
                                  '{"status": {"authenticated": true}}'])  # fmt: skip
async def test_an_answer_that_is_not_readable_opens_nothing(asked: Make, body: str) -> None:
    authority = asked(lambda request: httpx.Response(200, text=body))

    with pytest.raises(AuthorityAwayError):
        await authority.identify(TOKEN)


@pytest.mark.parametrize("error", [httpx.ConnectError("x"), httpx.ReadTimeout("x")])
async def test_an_api_server_that_is_silent_opens_nothing(asked: Make, error: Exception) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(AuthorityAwayError):
        await asked(answer).identify(TOKEN)


async def test_a_yes_is_asked_once_and_by_the_pods_own_token(asked: Make, folder: Path) -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(201, json={"status": {"authenticated": True, "user": USER}})

    authority = asked(answer)
    assert authority.recall(TOKEN) is None
    for _ in range(3):
        assert await authority.identify(TOKEN) == ALICE

    assert [item.headers["Authorization"] for item in requests] == ["Bearer own-token"]
    assert json.loads(requests[0].content)["spec"] == {"token": TOKEN}
    assert authority.recall(TOKEN) is not None


async def test_a_rotated_own_token_is_used_at_once(asked: Make, folder: Path) -> None:
    used = []

    def answer(request: httpx.Request) -> httpx.Response:
        used.append(request.headers["Authorization"])
        return httpx.Response(201, json={"status": {"allowed": True}})

    authority = asked(answer)
    await authority.may(ALICE, Verb.GET, "a")
    (folder / "token").write_text("new-token")
    await authority.may(ALICE, Verb.GET, "b")

    assert used == ["Bearer own-token", "Bearer new-token"]


async def test_a_missing_own_right_is_told_to_the_administrator_without_any_token(
    asked: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    with pytest.raises(AuthorityAwayError) as caught:
        await asked(lambda request: httpx.Response(403)).identify(TOKEN)

    assert "system:auth-delegator" in caplog.text
    assert TOKEN not in caplog.text + str(caught.value)
    assert "own-token" not in caplog.text + str(caught.value)


def test_outside_of_a_pod_the_start_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ZEROG_KUBERNETES_NAMESPACE"):
        ServiceAccount(tmp_path).namespace()
    with pytest.raises(ConfigError, match="automountServiceAccountToken"):
        ServiceAccount(tmp_path).trust()


def test_rights_end_within_seconds() -> None:
    assert kubernetes.YES_SECONDS <= 10
