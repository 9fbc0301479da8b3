"""The JSON Schemas of requests and answers, as the specification shows them."""

from typing import Any

from zerog.jobs.record import State
from zerog.stats import COUNTS

_TIME = {"type": "string", "format": "date-time"}
_STRING = {"type": "string"}
_INTEGER = {"type": "integer"}
_STATE = {"enum": [*map(str, State)]}
_OBJECT: dict[str, Any] = {"type": "object"}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
    }


def _list(name: str, item: dict[str, Any]) -> dict[str, Any]:
    return _object({name: {"type": "array", "items": item}})


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_OPTIONS: dict[str, Any] = {
    "priority": {"type": "integer", "minimum": 0, "maximum": 9},
    "delay": {"type": "number", "minimum": 0},
    "startAt": _TIME,
    "timeout": {"type": "number", "minimum": 0},
}
_PROGRESS: dict[str, Any] = {
    "uuid": {"type": "string", "format": "uuid"},
    "state": _STATE,
    "completeness": {"type": "number", "minimum": 0, "maximum": 1},
    "resultCode": {"type": "integer", "description": "-1 until the job is finished"},
    "attempt": _INTEGER,
}
_SUMMARY: dict[str, Any] = {
    **{name: _PROGRESS[name] for name in ("uuid", "state", "resultCode", "attempt")},
    "type": _STRING,
    "queue": _STRING,
    "priority": _INTEGER,
    "createdTime": _TIME,
    "changedTime": _TIME,
}
_TIMES = {"startedTime": _TIME, "finishedTime": _TIME, "notBeforeTime": _TIME, "message": _STRING}
_LINE = _object(
    {"attempt": _INTEGER, "seq": _INTEGER, "time": _TIME, "level": _STRING, "message": _STRING},
    {"data": _OBJECT},
)
_ATTEMPT = _object(
    {"number": _INTEGER, "worker": _OBJECT, "startedTime": _TIME},
    {"endedTime": _TIME, "cause": _STRING, "message": _STRING},
)
_COUNTS = {"type": "array", "items": _INTEGER, "description": "one a minute, oldest first"}
_SECONDS = {"type": "array", "items": {"type": ["number", "null"]}, "description": "null: none"}
_HISTORY: dict[str, Any] = {
    "name": _STRING,
    **dict.fromkeys(COUNTS, _COUNTS),
    **dict.fromkeys(("waitMeanSeconds", "wait95Seconds", "runMeanSeconds"), _SECONDS),
}
_LINES = {"type": "array", "items": _LINE}

SCHEMAS: dict[str, Any] = {
    "Any": {},
    "Parameters": {"type": "object", "description": "The job's parameters, see GET /v1/types"},
    "Accepted": _object({"uuid": _PROGRESS["uuid"]}),
    "Batch": _list("jobs", _object({"type": _STRING}, {"parameters": _OBJECT, **_OPTIONS})),
    "BatchAccepted": _list("uuids", _PROGRESS["uuid"]),
    "Selection": _object({"filter": _OBJECT}, {"limit": _INTEGER}),
    "Changed": _object({"changed": _INTEGER, "more": {"type": "boolean"}}),
    "Progress": _object(_PROGRESS, {"message": _STRING}),
    "Summary": _object(_SUMMARY, _TIMES),
    "Page": _object(
        {"jobs": {"type": "array", "items": _ref("Summary")}, "next": {"type": ["string", "null"]}}
    ),
    "Info": _object(
        {
            **_SUMMARY,
            "completeness": _PROGRESS["completeness"],
            "limits": _OBJECT,
            "events": _LINES,
            "warnings": _LINES,
            "errors": _LINES,
            "attempts": {"type": "array", "items": _ATTEMPT},
        },
        _TIMES,
    ),
    "Data": _object({"uuid": _PROGRESS["uuid"], "resultCode": _PROGRESS["resultCode"], "data": {}}),
    "Job": _object({**_SUMMARY, "parameters": {}, "data": {}}, _TIMES),
    "Type": _object(
        {"name": _STRING, "description": _STRING, "schema": _OBJECT, "queue": _STRING},
    ),
    "Types": _list("types", _ref("Type")),
    "Queues": _list("queues", _object({"name": _STRING, "ready": _INTEGER, "reserved": _INTEGER})),
    "Workers": _list("workers", _object({"name": _STRING, "running": {"type": "array"}})),
    "Pools": _list("pools", _object({"name": _STRING, "namespace": _STRING})),
    "Stats": _object(
        {
            "bucketSeconds": _INTEGER,
            "times": {"type": "array", "items": _TIME},
            "queues": {"type": "array", "items": _object(_HISTORY)},
        }
    ),
    "Status": _object({"status": _STRING}),
    "Problem": _object(
        {"type": _STRING, "title": _STRING, "status": _INTEGER, "code": _STRING, "detail": _STRING},
        {
            "errors": {
                "type": "array",
                "items": _object({"path": _STRING, "message": _STRING}),
            }
        },
    ),
}

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A repeat with the same key and body gives the same UUID",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
