"""Requests with something wrong in them, to a real API: never answered by 5xx, and if refused then
by a problem that says why."""

from typing import Any
from urllib.parse import quote

import httpx
from tests.chaos.hostile import Hostile

from zerog.model.record import new_job_id

DEADLINE_SECONDS = 60.0
#: Nobody has this job, so that nobody waits for it.
NOBODY = f"/v1/jobs/{new_job_id()}"
#: Method, path, and body where there is one. None of them ends only with the client.
CALLS: list[tuple[str, str, Any]] = [
    ("POST", "/v1/jobs/Echo", {"value": 1}),
    ("POST", "/v1/jobs/Echo?priority=1&delay=3600&timeout=5", {"value": 1}),
    ("POST", "/v1/jobs:batch", {"jobs": [
        {"type": "Echo", "parameters": {"value": 1}, "priority": 1, "delay": 3600.0}]}),
    ("POST", "/v1/jobs:cancel", {"filter": {"state": "queued", "type": ["Slow"]}, "limit": 1}),
    ("POST", "/v1/jobs:retry", {"filter": {"uuids": new_job_id()}, "limit": 1}),
    ("POST", f"{NOBODY}/cancel", {}),
    ("POST", f"{NOBODY}/retry", {}),
    ("DELETE", NOBODY, None),
    ("GET", NOBODY, None),
    ("GET", f"{NOBODY}/progress?wait=5", None),
    ("GET", f"{NOBODY}/info?limit=5&cursor=1-5", None),
    ("GET", f"{NOBODY}/data", None),
    ("GET", "/v1/jobs?state=queued&type=Echo&queue=default&limit=5", None),
    ("GET", "/v1/types/Echo", None),
    ("GET", "/v1/stats?minutes=5", None),
    ("POST", "/v1/queues/odd:pause", {"reason": "because"}),
    ("POST", "/v1/queues/odd:resume", {}),
    ("POST", "/v1/workers/nobody:undrain", {}),
    ("GET", "/static/app.js", None),
]  # fmt: skip
HEADERS = {
    "Idempotency-Key": "key-1",
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Authorization": "Bearer abc",
    "Origin": "http://localhost:1",
    "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "X-Request-Id": "r-1",
    "X-Forwarded-For": "10.0.0.1",
}
#: What stands in a target as it is.
_KEPT = "/?=&:%"


def throw_call(hostile: Hostile, client: httpx.Client) -> int:
    """Make a call, check its answer, and return its status."""
    random = hostile.random
    method, path, document = random.choice(CALLS)
    body = b"" if document is None else hostile.document(document)
    if random.random() < 0.3:
        path = quote(hostile.damaged(path.encode()), safe=_KEPT)
    if random.random() < 0.1:
        method = random.choice(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "ODD"])
    headers = {"Content-Type": "application/json"}
    for name in random.sample(sorted(HEADERS), random.choice([0, 0, 1, 2])):
        headers[name] = _printable(hostile.damaged(HEADERS[name].encode()))
    answer = client.request(method, f"/{path.lstrip('/')}", content=body, headers=headers)
    _check(answer)
    return answer.status_code


def _printable(value: bytes) -> str:
    """Return what a client can send in a header."""
    return bytes(byte for byte in value if 32 < byte < 127).decode()


def _check(answer: httpx.Response) -> None:
    request = answer.request
    seen = f"{request.method} {request.url} {request.headers} {request.content[:500]!r}: "
    seen += f"{answer.status_code} {answer.text[:500]}"
    assert answer.status_code < 500, seen
    assert "Traceback" not in answer.text, seen
    if answer.status_code < 400 or request.method == "HEAD":
        return
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json", seen
    assert problem["status"] == answer.status_code, seen
    assert problem["code"], seen
    assert problem["detail"], seen
