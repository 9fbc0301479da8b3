"""The API against bad and hostile input: never a 5xx, always a problem document that
says what to do.
"""

import asyncio
import http.client
import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.beanstalkd import Beanstalkd

from zerog.sdk.options import Options
from zerog.store import open_datastore
from zerog_api.settings import ApiSettings

DEADLINE_SECONDS = 60.0
EXAMPLES = 300
fuzz = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
TYPE: dict[str, Any] = {
    "name": "Hello",
    "description": "",
    "queue": "default",
    "priority": Options("x").priority,
    "maxErrors": 3,
    "maxCrashes": 3,
    "backoffSeconds": 5,
    "backoffMaxSeconds": 600,
    "timeoutSeconds": None,
    "retainOkSeconds": 60,
    "retainFailedSeconds": 60,
    "schema": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "n": {"type": "integer", "minimum": 0}},
        "required": ["name"],
        "additionalProperties": False,
    },
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The real API over SQLite and a real beanstalkd, on a loop in a thread."""
    from zerog_api.main import serve

    folder: Path = tmp_path_factory.mktemp("api")
    server = Beanstalkd()
    server.start()
    store_url = f"sqlite:///{folder / 'zerog.db'}"
    started = threading.Event()
    ports: list[int] = []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def ready(port: int) -> None:
        ports.append(port)
        started.set()

    async def run() -> None:
        store = await open_datastore(store_url)
        await store.upsert("types", "Hello", TYPE)
        await store.close()
        # A busy machine is not what these tests are about: nothing shall be 503 for that.
        api_settings = ApiSettings(
            port=0, store=store_url, queue=server.address, deadline_seconds=DEADLINE_SECONDS
        )
        await serve(api_settings, stop=stop, on_ready=ready)

    loop.add_signal_handler = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert started.wait(DEADLINE_SECONDS)
    with httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}", timeout=DEADLINE_SECONDS) as client:
        yield client
        total, failed = count_requests(client.get("/metrics").text)
    print(f"{total} requests, {failed} of them answered by 5xx")
    loop.call_soon_threadsafe(stop.set)
    thread.join(DEADLINE_SECONDS)
    loop.close()
    server.kill()
    assert failed == 0


def count_requests(metrics: str) -> tuple[int, int]:
    """Return how many requests the API has answered, and how many of them by 5xx."""
    counts = re.findall(r'^zerog_api_requests_total\{.*status="(\d+)"\} (\S+)$', metrics, re.M)
    assert counts
    total = sum(float(number) for _, number in counts)
    failed = sum(float(number) for status, number in counts if status >= "500")
    return int(total), int(failed)


def check(response: httpx.Response) -> dict[str, Any]:
    """Check that an answer is a success or a helpful problem; return its body."""
    assert response.status_code < 500, response.text
    if response.status_code < 400:
        return {}
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == response.status_code
    assert problem["detail"]
    assert problem["code"]
    assert "Traceback" not in response.text
    return problem


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "not-json"),
        (b'{"name": NaN}', 400, "not-json"),
        (b'{"n": 1e999, "name": "x"}', 400, "not-json"),
        (b'{"name": "\xff"}', 400, "not-json"),
        (b'{"name": "\\ud800"}', 400, "not-json"),
        (b"[" * 100_000, 400, "not-json"),
        (b'{"name":' + b"[" * 195 + b"]" * 195 + b"}", 400, "not-json"),
        (b"[]", 422, "invalid-request"),
        (b"null", 422, "invalid-request"),
        (b"{}", 422, "invalid-request"),
        (b'{"name": 5}', 422, "invalid-request"),
        (b'{"name": "x", "n": -1}', 422, "invalid-request"),
        (b'{"name": "x", "uuid": "mine", "state": "succeeded"}', 422, "invalid-request"),
        (b'{"name": "' + b"x" * 2_000_000 + b'"}', 413, "too-large"),
    ],
)
def test_a_bad_body_is_refused(api: httpx.Client, body: bytes, status: int, code: str) -> None:
    response = api.post("/v1/jobs/Hello", content=body, headers=JSON)

    assert response.status_code == status
    assert check(response)["code"] == code


def test_every_fault_is_told_with_its_path(api: httpx.Client) -> None:
    response = api.post("/v1/jobs/Hello", json={"name": 5, "n": -1, "more": True})

    paths = {fault["path"] for fault in check(response)["errors"]}
    assert {"$.name", "$.n"} <= paths
    assert len(check(response)["errors"]) == 3


@pytest.mark.parametrize(
    "query",
    ["priority=10", "priority=x", "priority=nan", "delay=-1", "delay=nan", "delay=1e400",
     "timeout=0", "startAt=tomorrow", "startAt=2026-01-01", "state=done", "uuid=1",
     "priority=1&priority=2",
     "delay=1&startAt=2026-12-01T00:00:00Z"],
)  # fmt: skip
def test_bad_options_are_refused(api: httpx.Client, query: str) -> None:
    response = api.post(f"/v1/jobs/Hello?{query}", json={"name": "x"})

    assert response.status_code == 422
    assert check(response)["errors"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/jobs/Helo", 404),
        ("GET", "/v1/jobs/nonsense/progress", 404),
        ("GET", "/v1/jobs/01890000-0000-7000-8000-000000000000/data", 404),
        ("PUT", "/v1/jobs", 405),
        ("GET", "/nothing", 404),
        ("GET", "/v1/jobs?cursor=%00%ff", 422),
        ("GET", "/v1/jobs?limit=0", 422),
        ("GET", "/v1/jobs/methods/methods", 404),
        ("GET", "/static/..%2fmain.py", 404),
        ("POST", "/v1/jobs:cancel", 422),
        ("POST", "/v1/jobs:batch", 422),
    ],
)
def test_bad_calls_are_refused(api: httpx.Client, method: str, path: str, status: int) -> None:
    response = api.request(method, path)

    assert response.status_code == status
    check(response)


def test_a_near_type_name_is_offered(api: httpx.Client) -> None:
    detail = check(api.post("/v1/jobs/Helo", json={}))["detail"]
    assert detail.endswith("'Helo'; did you mean Hello? (GET /v1/types lists them)")


def test_a_key_that_was_used_for_another_body_is_a_conflict(api: httpx.Client) -> None:
    key = {"Idempotency-Key": "one"}
    first = api.post("/v1/jobs/Hello", json={"name": "a"}, headers=key)
    again = api.post("/v1/jobs/Hello", json={"name": "a"}, headers=key)
    other = api.post("/v1/jobs/Hello", json={"name": "b"}, headers=key)

    assert first.json() == again.json()
    assert other.status_code == 409


def test_a_form_of_another_site_cannot_post_a_job(api: httpx.Client) -> None:
    assert api.post("/v1/jobs/Hello", data={"name": "x"}).status_code == 415


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
PATHS = [
    "/v1/jobs/Hello",
    "/v1/jobs:batch",
    "/v1/jobs:cancel",
    "/v1/jobs:retry",
    "/v1/jobs/x/cancel",
]


@fuzz
@given(path=st.sampled_from(PATHS), body=values)
def test_any_json_is_answered_below_500(api: httpx.Client, path: str, body: Any) -> None:
    text = json.dumps(body).encode("utf-8", "surrogatepass")
    check(api.post(path, content=text, headers=JSON))


@fuzz
@given(path=st.sampled_from(PATHS), body=st.binary(max_size=200))
def test_any_bytes_are_answered_below_500(api: httpx.Client, path: str, body: bytes) -> None:
    check(api.post(path, content=body, headers=JSON))


@fuzz
@given(
    jobs=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "type": st.sampled_from(["Hello", "Nope"]) | values,
                "parameters": st.just({"name": "x"}) | values,
                "priority": st.integers(-1, 11) | values,
                "delay": st.floats(0, 10) | values,
                "startAt": st.just("2027-01-01T00:00:00Z") | values,
                "timeout": values,
            },
        ),
        max_size=3,
    )
)
def test_any_batch_is_answered_below_500(api: httpx.Client, jobs: Any) -> None:
    text = json.dumps({"jobs": jobs}).encode("utf-8", "surrogatepass")
    check(api.post("/v1/jobs:batch", content=text, headers=JSON))


names = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)


@fuzz
@given(segments=st.lists(names, max_size=4), query=st.dictionaries(names, names, max_size=3))
def test_any_path_and_query_are_answered_below_500(
    api: httpx.Client, segments: list[str], query: dict[str, str]
) -> None:
    from urllib.parse import quote

    path = "/" + "/".join(quote(segment, safe="") for segment in ["v1", *segments])
    check(api.get(path, params=query))


@pytest.mark.parametrize(
    "request_bytes",
    [b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
     b"POST /v1/jobs/Hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: \xb2\r\n\r\n{}",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
     b"GET / HTTP/9\r\n\r\n",
     b"GET /healthz HTTP/1.1\r\n\r\n",
     b"GET /healthz HTTP/1.1\nHost: localhost\n\n",
     b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: b\nC: d\r\n\r\n",
     b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
     b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n",
     b"POST /v1/jobs/Hello HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
)  # fmt: skip
def test_what_is_no_http_is_told_so_and_harms_nobody(
    api: httpx.Client, request_bytes: bytes
) -> None:
    with socket.create_connection(
        (api.base_url.host, api.base_url.port or 80), DEADLINE_SECONDS
    ) as raw:
        raw.sendall(request_bytes)
        with http.client.HTTPResponse(raw) as answer:
            answer.begin()
            answer.read()  # to the end of the connection

    assert answer.status == 400
    assert api.get("/healthz").status_code == 200


def test_a_client_that_leaves_ends_its_waiting(api: httpx.Client) -> None:
    uuid = api.post("/v1/jobs/Hello", json={"name": "x"}).json()["uuid"]

    for _ in range(5):
        with pytest.raises(httpx.ReadTimeout):
            api.get(
                f"/v1/jobs/{uuid}/progress?wait=30",
                timeout=httpx.Timeout(DEADLINE_SECONDS, read=0.1),
            )

    assert api.get("/readyz").status_code == 200


def test_the_specification_is_complete_and_its_page_needs_nothing_else(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    page = api.get("/docs")

    assert {"/v1/jobs/{name}", "/v1/jobs/Hello"} <= document["paths"].keys()
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "//" not in page.text.replace("</", "").replace("<!--", "").replace("/>", "")
    for name in ("app.js", "style.css", "icon.svg"):
        assert api.get(f"/static/{name}").status_code == 200


def test_metrics_count_requests(api: httpx.Client) -> None:
    api.get("/healthz")

    assert 'zerog_api_requests_total{method="GET",route="/healthz"' in api.get("/metrics").text
