"""The one table of calls: it routes, validates, and is the specification."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import zerog
from zerog.ledger.stats import KEEP_SECONDS
from zerog.model.record import State
from zerog_api import schemas
from zerog_api.auth.access import CHANGES, Verb
from zerog_api.auth.cors import refuse_foreign_page
from zerog_api.auth.gate import Gate
from zerog_api.bodies import MAX_DELAY_SECONDS, MAX_TIMEOUT_SECONDS
from zerog_api.http import Answer, Handler, Request, decode_path
from zerog_api.jobs import JobCalls
from zerog_api.overview import OverviewCalls
from zerog_api.problems import Problem
from zerog_api.query import Parameter, parse_query
from zerog_api.system import SystemCalls

MAX_PAGE = 500
MAX_WAIT_SECONDS = 60
MAX_MINUTES = int(KEEP_SECONDS // 60)
Call = Callable[..., Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """One call. Segments in braces are handed to the handler in order."""

    method: str
    path: str
    #: What the caller has to be allowed to do; None: anybody may call it.
    verb: Verb | None
    call: Call
    summary: str
    #: Status of success, and the schema of its body (a name in `schemas`, None: no JSON).
    status: int = 200
    answer: str | None = None
    #: Schema of the request's body.
    body: str | None = None
    query: Sequence[Parameter] = ()
    #: Statuses of the problems it may answer with, besides 500 and 503.
    problems: Sequence[int] = ()
    idempotency_key: bool = False


_PRIORITY = Parameter("priority", "integer", "0 first … 9 last", 0, 9)
_SUBMIT = (
    Parameter("delay", "number", "Seconds until the job may start", 0, MAX_DELAY_SECONDS),
    Parameter("startAt", "time", "When the job may start"),
    _PRIORITY,
    Parameter("timeout", "number", "Seconds an attempt may run", 0.001, MAX_TIMEOUT_SECONDS),
)
_LIST = (
    Parameter("type", "string", "Only jobs of this type", repeated=True),
    Parameter(
        "state", "string", "Only jobs in this state", choices=[*map(str, State)], repeated=True
    ),
    Parameter("queue", "string", "Only jobs of this queue", repeated=True),
    Parameter("limit", "integer", "Jobs on a page", 1, MAX_PAGE),
    Parameter("cursor", "string", "`next` of the page before"),
)
_MINUTES = (Parameter("minutes", "integer", "How far back, 60 by default", 1, MAX_MINUTES),)
_WAIT = (
    Parameter(
        "wait", "number", "Hold the answer until progress changes, so long", 0, MAX_WAIT_SECONDS
    ),
)


def _job_routes(jobs: JobCalls) -> list[Route]:
    job = "/v1/jobs/{uuid}"
    return [
        Route("POST", "/v1/jobs/{type}", Verb.CREATE, jobs.submit, "Run a job", 201, "Accepted",
              "Parameters", _SUBMIT, (400, 404, 409, 413, 415, 422), idempotency_key=True),
        Route("POST", "/v1/jobs:batch", Verb.CREATE, jobs.submit_batch,
              "Run up to 1,000 jobs, or none", 201, "BatchAccepted", "Batch", (),
              (400, 404, 409, 413, 415, 422), idempotency_key=True),
        Route("GET", "/v1/jobs", Verb.LIST, jobs.list, "List jobs, newest first", 200, "Page", None,
              _LIST, (422,)),
        Route("GET", job, Verb.GET, jobs.document, "The whole document", 200, "Job",
              problems=(404, 422)),
        Route("GET", f"{job}/progress", Verb.GET, jobs.progress,
              "State, completeness and result code", 200, "Progress", None, _WAIT, (404, 422)),
        Route("GET", f"{job}/info", Verb.GET, jobs.info, "Progress, log and attempts", 200, "Info",
              problems=(404, 422)),
        Route("GET", f"{job}/data", Verb.GET, jobs.data, "Output data of a finished job", 200,
              "Data", problems=(404, 409, 422)),
        Route("GET", f"{job}/stream", Verb.GET, jobs.stream,
              "Server-sent events: progress, log, end", problems=(404, 422)),
        Route("POST", f"{job}/cancel", Verb.UPDATE, jobs.cancel, "Cancel", 202, "Progress",
              problems=(404, 409, 422)),
        Route("POST", f"{job}/retry", Verb.UPDATE, jobs.retry, "Replay a finished job", 202,
              "Progress", problems=(404, 409, 422)),
        Route("DELETE", job, Verb.DELETE, jobs.delete, "Forget a finished job", 204,
              problems=(404, 409, 422)),
        Route("POST", "/v1/jobs:retry", Verb.UPDATE, jobs.retry_many, "Replay jobs by filter", 200,
              "Changed", "Selection", (), (400, 413, 415, 422)),
        Route("POST", "/v1/jobs:cancel", Verb.UPDATE, jobs.cancel_many, "Cancel jobs by filter",
              200, "Changed", "Selection", (), (400, 413, 415, 422)),
    ]  # fmt: skip


def build_routes(
    jobs: JobCalls,
    overview: OverviewCalls,
    system: SystemCalls,
    *,
    anonymous_metrics: bool = True,
) -> list[Route]:
    """Return the table."""
    metrics = None if anonymous_metrics else Verb.METRICS
    return [
        *_job_routes(jobs),
        Route("GET", "/v1/types", Verb.LIST, system.types, "Registered job types", 200, "Types",
              problems=(422,)),
        Route("GET", "/v1/types/{type}", Verb.GET, system.type, "One job type", 200, "Type",
              problems=(404, 422)),
        Route("GET", "/v1/queues", Verb.LIST, overview.queues, "Depth, rates and waiting time",
              200, "Queues", problems=(422,)),
        Route("GET", "/v1/workers", Verb.LIST, overview.workers, "Who is alive and what it runs",
              200, "Workers", problems=(422,)),
        Route("GET", "/v1/pools", Verb.LIST, overview.pools, "Pools of workers on Kubernetes", 200,
              "Pools", problems=(422,)),
        Route("GET", "/v1/stats", Verb.LIST, overview.stats, "What happened, minute by minute", 200,
              "Stats", None, _MINUTES, (422,)),
        Route("GET", "/v1/overview/stream", Verb.LIST, overview.stream,
              "Server-sent events: overview, stats, away", problems=(422,)),
        Route("GET", "/openapi.json", None, system.openapi, "This specification", 200, "Any",
              problems=(422,)),
        Route("GET", "/docs", None, system.docs, "This specification as a page", problems=(422,)),
        Route("GET", "/healthz", None, system.healthz, "Whether the process answers", 200, "Status",
              problems=(422,)),
        Route("GET", "/readyz", None, system.readyz, "Whether jobs can be accepted", 200, "Status",
              problems=(422,)),
        Route("GET", "/metrics", metrics, system.metrics, "Prometheus metrics", problems=(422,)),
        Route("GET", "/", None, system.index, "The page", problems=(422,)),
        Route("GET", "/static/{name}", None, system.asset, "Parts of the pages",
              problems=(404, 422)),
    ]  # fmt: skip


class Router:
    """Finds the route of a method and path in a tree of the paths' segments."""

    def __init__(
        self, routes: Sequence[Route], gate: Gate | None = None, origins: Collection[str] = ()
    ) -> None:
        """Without a gate there is no authentication, and only pages of these origins, besides
        our own, may change anything."""
        self._gate = gate
        self._origins = frozenset(origins)
        self._tree: dict[str, Any] = {}
        for route in routes:
            node = self._tree
            for segment in route.path.split("/"):
                node = node.setdefault("{}" if segment.startswith("{") else segment, {})
            node.setdefault("methods", {})[route.method] = route

    def find(self, method: str, path: str) -> tuple[Handler, str]:
        """Return the handler and the route's path. A 404 or 405 `Problem` if there is none."""
        node = self._tree
        values = []
        for segment in path.split("/"):
            inner = node.get(segment) if segment not in ("methods", "{}") else None
            if inner is None:
                inner = node.get("{}")
                if inner is None or not segment:
                    raise Problem(404, "not-found", "there is no such call; GET /docs lists them")
                values.append(decode_path(segment))
            node = inner
        routes = node.get("methods", {})
        route = routes.get("GET" if method == "HEAD" else method)
        if route is None:
            if not routes:
                raise Problem(404, "not-found", "there is no such call; GET /docs lists them")
            allowed = ", ".join(sorted(routes))
            raise Problem(
                405, "method-not-allowed", f"allowed here: {allowed}", headers={"Allow": allowed}
            )

        async def handle(request: Request) -> Answer:
            if self._gate is None and route.verb in CHANGES:
                refuse_foreign_page(request, self._origins)
            query = parse_query(request.query, route.query)
            answer: Answer = await route.call(request, query, *values)
            return answer

        gate, verb = self._gate, route.verb
        if gate is None or verb is None:
            return handle, route.path

        async def guarded(request: Request) -> Answer:
            return await gate.guard(request, verb, route.path, lambda: handle(request))

        return guarded, route.path


def build_openapi(routes: Sequence[Route], *, guarded: bool = False) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the table. `guarded`: callers need a token."""
    paths: dict[str, Any] = {}
    for route in routes:
        operation = _operation(route, guarded and route.verb is not None)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    components: dict[str, Any] = {"schemas": schemas.SCHEMAS}
    if guarded:
        components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ZeroG",
            "version": zerog.__version__,
            "description": "Background jobs: POST one, follow it by its UUID.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": components,
    }


def _operation(route: Route, guarded: bool) -> dict[str, Any]:
    parameters = [parameter.to_openapi() for parameter in route.query]
    parameters += [
        _path_parameter(segment.strip("{}"))
        for segment in route.path.split("/")
        if segment.startswith("{")
    ]
    if route.idempotency_key:
        parameters.append(schemas.IDEMPOTENCY_KEY)
    answer: dict[str, Any] = {"description": route.summary}
    if route.answer is not None:
        answer["content"] = _json(route.answer)
    responses = {str(route.status): answer}
    for status in (*route.problems, *((401, 403, 429) if guarded else ()), 500, 503):
        responses[str(status)] = {
            "description": "Problem",
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": getattr(route.call, "__name__", "call"),
        "parameters": parameters,
        "responses": responses,
    }
    if guarded:
        operation["security"] = [{"bearer": []}]
    if route.body is not None:
        operation["requestBody"] = {
            "required": route.body != "Parameters",
            "content": _json(route.body),
        }
    return operation


def _path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
