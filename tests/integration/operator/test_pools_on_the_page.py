"""From the cluster to whoever looks: the operator publishes its pools, the API serves them."""

import contextlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from zerog.privatefile import write_private
from zerog_operator.board import WRITE_SECONDS
from zerog_tools.cluster.ports import free_port
from zerog_tools.cluster.process import wait_until

from .conftest import DEADLINE_SECONDS, Stage, build_pool

#: Of a pool's status, what the API tells under the same name.
TOLD = ("replicas", "readyReplicas", "desiredReplicas", "starting", "retiring", "busy")
TOKEN = "a-token-that-is-long-enough"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def url(stage: Stage, tmp_path: Path) -> str:
    """An operator and an API with one datastore; the API asks for tokens, as on a cluster."""
    tokens = tmp_path / "tokens.json"
    entry = {"name": "reader", "token": TOKEN, "verbs": ["list"], "queues": ["media"]}
    write_private(tokens, json.dumps({"tokens": [entry]}))
    store, port = f"sqlite:///{tmp_path / 'zerog.db'}", free_port()
    auth = {"ZEROG_AUTH": "tokens", "ZEROG_TOKENS": str(tokens)}
    queue = stage.beanstalkd.address
    stage.start_server("api", "--port", str(port), ZEROG_STORE=store, ZEROG_QUEUE=queue, **auth)
    stage.start_operator(ZEROG_STORE=store)
    return f"http://127.0.0.1:{port}"


def pools(url: str) -> list[dict[str, Any]]:
    """Return the pools that the API tells of; none while it does not answer."""
    with contextlib.suppress(httpx.TransportError):
        answer = httpx.get(f"{url}/v1/pools", headers=HEADERS, timeout=DEADLINE_SECONDS)
        return list(answer.raise_for_status().json()["pools"])
    return []


def is_told(stage: Stage, url: str) -> bool:
    """Whether the API tells of the pool what the cluster has in its status now."""
    status = stage.status()
    conditions = {item["type"]: item for item in status.get("conditions", [])}
    expected = {name: status[name] for name in TOLD if name in status}
    expected["decision"] = status.get("lastDecision", {}).get("reason")
    expected["ready"] = conditions.get("Ready", {}).get("status")
    return any(
        {name: pool.get(name) for name in expected} == expected
        for pool in pools(url)
        if pool["name"] == "media"
    )


def test_a_pools_real_status_reaches_the_api_and_goes_with_the_pool(stage: Stage, url: str) -> None:
    stage.apply(build_pool(maxReplicas=7))
    stage.apply(build_pool("other", queue="secret"))
    wait_until(lambda: is_told(stage, url), DEADLINE_SECONDS, "the idle pool is told")
    stage.put(3)
    stage.play_ready(*stage.wait_for_pods(3))

    wait_until(lambda: is_told(stage, url), DEADLINE_SECONDS, "what became of it is told")

    (pool,) = pools(url)  # the other queue's is not the reader's to see
    assert (pool["namespace"], pool["queue"], pool["maxReplicas"]) == (stage.namespace, "media", 7)
    assert (pool["readyReplicas"], pool["desiredReplicas"]) == (3, 3)
    with httpx.stream("GET", f"{url}/v1/overview/stream", headers=HEADERS) as stream:
        line = next(item for item in stream.iter_lines() if item.startswith("data: "))
    told = json.loads(line.removeprefix("data: "))["pools"]
    assert [item["name"] for item in told] == ["media"]
    stage.cluster.kubectl("delete", "zwp/media", "-n", stage.namespace, "--wait=false")
    seconds = DEADLINE_SECONDS + WRITE_SECONDS
    wait_until(lambda: not pools(url), seconds, "a pool that is gone is not told of")
