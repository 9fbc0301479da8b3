"""The real API with static tokens: what each may, what nobody may; no call is forgotten."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from tests.integration.api.serving import job_type, serving, until

from zerog.client import ApiError, AsyncClient, Client
from zerog.model.documents import WorkerDocument, write
from zerog.privatefile import write_private
from zerog.store import open_datastore
from zerog_api.auth.access import Verb
from zerog_api.calls.all import CALLS, PAGES
from zerog_api.edge.routes import calls
from zerog_api.settings import ApiSettings

ALL, MAIL, READER, NOTHING = (f"token-of-{name}-long-enough" for name in "abcd")
TOKENS = {
    "tokens": [
        {"name": "admin", "token": ALL, "verbs": sorted(map(str, Verb)), "queues": ["*"]},
        {"name": "mailer", "token": MAIL, "verbs": ["create", "get", "list", "update", "delete"],
         "queues": ["mail"]},
        {"name": "reader", "token": READER, "verbs": ["get", "list"], "queues": ["mail"]},
        {"name": "nobody", "token": NOTHING, "verbs": [], "queues": []},
    ]
}  # fmt: skip
TYPES = [job_type("Mail", "mail"), job_type("Media", "media")]
WORKER = "one"
#: Calls that show as much as the caller may see, which may be nothing.
OVERVIEWS = {
    "/v1/types": {"types"}, "/v1/queues": {"queues"}, "/v1/workers": {"workers"},
    "/v1/pools": {"pools"}, "/v1/stats": {"queues"},
}  # fmt: skip
ORIGIN = "https://jobs.example"
#: The calls that anybody may make. A new one has to be entered here by somebody who means it.
ANONYMOUS = {
    "GET /openapi.json", "GET /openapi-3.0.json", "GET /docs", "GET /healthz", "GET /readyz",
    "GET /", "GET /static/{name}",
}  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("tokens")
    path = folder / "tokens.json"
    write_private(path, json.dumps(TOKENS))
    settings = ApiSettings(
        auth="tokens", tokens=str(path), anonymous_metrics=0, cors_origins=(ORIGIN,)
    )
    asyncio.run(write_worker(folder))
    with serving(folder, settings, TYPES) as found:
        yield found


async def write_worker(folder: Path) -> None:
    """Let a worker of both queues be known."""
    store = await open_datastore(f"sqlite:///{folder / 'zerog.db'}")
    now = datetime.now(UTC)
    document = WorkerDocument(WORKER, ["mail", "media"], [], 1, [], "running", now, now, 1)
    await store.upsert("workers", WORKER, write(document))
    await store.close()


def calling(url: str, token: str | None) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=url, headers=headers, timeout=30)


def submit(url: str, kind: str = "Mail", token: str = ALL) -> str:
    with calling(url, token) as client:
        answer = client.post(f"/v1/jobs/{kind}", json={})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["uuid"])


def guarded_calls(url: str) -> list[tuple[str, str]]:
    """Return method and path of every call of the specification that needs a token."""
    document = httpx.get(f"{url}/openapi.json").json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    return [
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if operation.get("security")
    ]


def real_path(method: str, path: str, uuid: str) -> str:
    """Name a job in the path of a call, or a job type where that is asked for."""
    is_type = method == "POST" or path.startswith("/v1/types/")
    path = path.replace("{queue}", "mail").replace("{worker}", WORKER)
    return path.replace("{uuid}", uuid).replace("{name}", "Mail" if is_type else uuid)


def test_each_call_has_a_verb_or_is_meant_to_be_open() -> None:
    found = calls([*CALLS, *PAGES])

    assert {f"{it.method} {it.path}" for it in found if it.operation.verb is None} == ANONYMOUS


def test_no_guarded_call_answers_without_a_token_or_with_a_bad_one(url: str) -> None:
    calls = guarded_calls(url)
    assert len(calls) >= 17
    uuid = submit(url)
    for token in (None, "bad-token"):
        with calling(url, token) as client:
            for method, path in calls:
                real = real_path(method, path, uuid)
                answer = client.request(method, real, json={} if method == "POST" else None)

                assert answer.status_code == 401, (method, path)
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
                assert answer.json()["code"] == "unauthorized"


def test_a_token_without_rights_gets_nothing_from_any_call(url: str) -> None:
    uuid = submit(url)
    bodies = {
        "/v1/jobs:batch": {"jobs": [{"type": "Mail"}]},
        "/v1/jobs:cancel": {"filter": {"uuids": [uuid]}},
        "/v1/jobs:retry": {"filter": {"type": "Mail"}},
        "/v1/jobs:delete": {"filter": {"uuids": [uuid]}},
    }
    with calling(url, NOTHING) as client:
        for method, path in guarded_calls(url):
            if path == "/v1/overview/stream":
                continue  # it goes on for ever; it has a test of its own
            real = real_path(method, path, uuid)
            body = bodies.get(path, {}) if method == "POST" else None
            answer = client.request(method, real, json=body)

            if path in OVERVIEWS:
                assert set(answer.json()) & OVERVIEWS[path]
                assert not any(answer.json()[name] for name in OVERVIEWS[path]), path
            else:
                assert answer.status_code == 403, (method, path, answer.text)
                assert answer.json()["code"] == "forbidden"


def test_whoever_may_everything_is_refused_nothing(url: str) -> None:
    uuid = submit(url)
    with calling(url, ALL) as client:
        for method, path in guarded_calls(url):
            real = real_path(method, path, uuid)
            if path.endswith("/stream"):
                continue  # it lasts; it has a test of its own
            answer = client.request(method, real, json={} if method == "POST" else None)

            assert answer.status_code not in (401, 403, 500), (method, path, answer.text)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs", "/",
                                  "/static/app.js"])  # fmt: skip
def test_probes_and_pages_need_no_token(url: str, path: str) -> None:
    assert httpx.get(f"{url}{path}").status_code == 200


def test_a_right_to_one_queue_is_none_to_another(url: str) -> None:
    uuid = submit(url, "Media")
    with calling(url, MAIL) as client:
        refused = client.post("/v1/jobs/Media", json={})
        batch = {"jobs": [{"type": "Mail"}, {"type": "Media"}]}

        assert refused.status_code == 403
        assert refused.json()["detail"] == "mailer may not create jobs in this queue"
        assert client.post("/v1/jobs:batch", json=batch).status_code == 403
        for what in ("", "/progress", "/info", "/data", "/stream"):
            assert client.get(f"/v1/jobs/{uuid}{what}").status_code == 403, what
        for what in ("cancel", "retry"):
            assert client.post(f"/v1/jobs/{uuid}/{what}").status_code == 403, what
        assert client.delete(f"/v1/jobs/{uuid}").status_code == 403
    with calling(url, ALL) as client:
        assert client.get(f"/v1/jobs/{uuid}/progress").json()["state"] == "queued"


def test_a_queue_is_paused_and_a_worker_drained_by_those_who_may_change_all_their_queues(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "zerog.audit")
    with calling(url, MAIL) as mailer:
        told = mailer.post("/v1/queues/mail:pause", json={"reason": "no disk"}).json()
        assert told["paused"] | {"since": None} == {
            "since": None, "by": "mailer", "reason": "no disk",
        }  # fmt: skip
        assert mailer.post("/v1/queues/media:pause").status_code == 403
        assert mailer.post("/v1/queues/media:resume").status_code == 403
        # It serves both queues.
        assert mailer.post(f"/v1/workers/{WORKER}:drain").status_code == 403
        assert mailer.post("/v1/queues/mail:resume").status_code == 200
    with calling(url, READER) as reader:
        assert reader.post("/v1/queues/mail:pause").status_code == 403
    with calling(url, ALL) as admin:
        drained = admin.post(f"/v1/workers/{WORKER}:drain").json()
        assert (drained["name"], drained["drain"]["by"]) == (WORKER, "admin")
        assert admin.post(f"/v1/workers/{WORKER}:undrain").json()["drain"] is None

    def written() -> set[str]:
        lines = [item.__dict__["fields"] for item in caplog.records if item.name == "zerog.audit"]
        changes = [change for line in lines for change in line.get("changes", ())]
        return {worker for change in changes for worker in change["workers"]}

    until(lambda: WORKER in written(), "the drain is written down")


def test_lists_show_only_what_may_be_seen(url: str) -> None:
    mail, media = submit(url, "Mail"), submit(url, "Media")
    with calling(url, READER) as client:
        listed = {job["uuid"] for job in client.get("/v1/jobs?limit=500").json()["jobs"]}

        assert mail in listed
        assert media not in listed
        assert client.get("/v1/jobs?queue=media").status_code == 403
        assert client.get("/v1/jobs?queue=mail&queue=media").status_code == 403
        assert [item["name"] for item in client.get("/v1/types").json()["types"]] == ["Mail"]
        assert [item["name"] for item in client.get("/v1/queues").json()["queues"]] == ["mail"]
        assert client.get("/v1/types/Media").status_code == 403
    with calling(url, ALL) as client:
        everything = {job["uuid"] for job in client.get("/v1/jobs?limit=500").json()["jobs"]}
        assert {mail, media} <= everything


def test_a_change_by_filter_stays_in_the_queues_that_are_allowed(url: str) -> None:
    mail, media = submit(url, "Mail"), submit(url, "Media")
    with calling(url, MAIL) as client:
        both = {"filter": {"uuids": [mail, media]}}
        assert client.post("/v1/jobs:cancel", json=both).status_code == 403
        other = {"filter": {"queue": "media"}}
        assert client.post("/v1/jobs:cancel", json=other).status_code == 403

        changed = client.post("/v1/jobs:cancel", json={"filter": {"state": "queued"}})
        assert changed.status_code == 200
        assert client.get(f"/v1/jobs/{mail}/progress").json()["state"] == "cancelled"
    with calling(url, ALL) as client:
        assert client.get(f"/v1/jobs/{media}/progress").json()["state"] == "queued"


def test_one_callers_idempotency_key_says_nothing_to_another(url: str) -> None:
    key = {"Idempotency-Key": "the-same"}
    uuids = []
    for token in (ALL, MAIL, ALL):
        with calling(url, token) as client:
            answer = client.post("/v1/jobs/Mail", json={}, headers=key)
            assert answer.status_code == 201
            uuids.append(answer.json()["uuid"])

    assert uuids[0] == uuids[2]
    assert uuids[0] != uuids[1]


def test_metrics_can_be_closed_too(url: str) -> None:
    with calling(url, READER) as reader, calling(url, ALL) as admin:
        assert reader.get("/metrics").status_code == 403
        assert admin.get("/metrics").status_code == 200


def test_a_stream_of_a_job_needs_its_right_and_ends_with_the_job(url: str) -> None:
    uuid = submit(url)
    with calling(url, MAIL) as client, client.stream("GET", f"/v1/jobs/{uuid}/stream") as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        assert next(lines) == "event: progress"
        with calling(url, MAIL) as other:
            other.post(f"/v1/jobs/{uuid}/cancel")
        assert "event: end" in list(lines)


def test_the_stream_of_the_overview_shows_only_what_may_be_seen(url: str) -> None:
    submit(url, "Mail")
    submit(url, "Media")
    seen = {}
    for token in (READER, ALL, NOTHING):
        with calling(url, token) as client, client.stream("GET", "/v1/overview/stream") as answer:
            line = next(item for item in answer.iter_lines() if item.startswith("data: "))
            look = json.loads(line.removeprefix("data: "))
            seen[token] = {queue["name"] for queue in look["queues"]}

    assert seen[READER] == {"mail"}
    assert seen[ALL] >= {"mail", "media"}
    assert seen[NOTHING] == set()


def test_no_token_counts_in_an_address(url: str) -> None:
    for name in ("token", "access_token", "authorization"):
        assert httpx.get(f"{url}/v1/jobs?{name}={ALL}").status_code == 401


def test_a_page_of_another_origin_is_shut_out_unless_it_is_let_in(url: str) -> None:
    asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    with calling(url, ALL) as client:
        allowed = client.options("/v1/jobs/Mail", headers=asks)
        refused = client.options(
            "/v1/jobs/Mail", headers={**asks, "Origin": "https://evil.example"}
        )
        read = client.get("/v1/jobs", headers={"Origin": ORIGIN})
        unread = client.get("/v1/jobs", headers={"Origin": "https://evil.example"})

    assert allowed.status_code == 204
    assert allowed.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert refused.status_code == 405
    assert read.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Origin" not in unread.headers


def test_the_clients_send_their_token(url: str) -> None:
    with Client(url, token=MAIL) as client:
        uuid = client.submit("Mail", {})
        assert client.progress(uuid)["state"] == "queued"
    with Client(url) as client, pytest.raises(ApiError) as caught:
        client.submit("Mail", {})
    assert caught.value.status == 401


async def test_the_asynchronous_client_reads_its_token_again_when_it_rotates(
    url: str, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    write_private(path, MAIL + "\n")
    async with AsyncClient(url, token_file=str(path)) as client:
        uuid = await client.submit("Mail", {})
        path.write_text("an-ended-token")
        with pytest.raises(ApiError) as caught:
            await client.progress(uuid)
        assert caught.value.status == 401
        path.write_text(READER)

        assert (await client.progress(uuid))["state"] == "queued"


def test_no_token_gets_into_the_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    submit(url, token=MAIL)
    with calling(url, "a-bad-token-that-nobody-has") as client:
        client.post("/v1/jobs/Mail", json={})

    def written() -> bool:
        lines = [item for item in caplog.records if item.name == "zerog.audit"]
        return any(item.__dict__["fields"]["caller"] == "mailer" for item in lines)

    until(written, "the change is written down")
    assert not re.search(f"{MAIL}|a-bad-token", caplog.text)
