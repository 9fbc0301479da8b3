"""The JSON Schemas of requests and answers, as the specification and the reference show them.

They are read by people and by generators of clients; requests are checked in `bodies`. Tests hold
every answer against them.
"""

from typing import Any

from zerog.ledger.stats import COUNTS
from zerog.model.record import Cause, State
from zerog_api.bodies import MAX_BATCH, MAX_DELAY_SECONDS, MAX_TIMEOUT_SECONDS

Schema = dict[str, Any]


def _schema(kind: str | list[str], meaning: str, **more: Any) -> Schema:
    return {"type": kind, "description": meaning, **more}


def _text(meaning: str, **more: Any) -> Schema:
    return _schema("string", meaning, **more)


def _integer(meaning: str, **more: Any) -> Schema:
    return _schema("integer", meaning, **more)


def _time(meaning: str) -> Schema:
    return _text(meaning, format="date-time")


def _choice(meaning: str, choices: Any) -> Schema:
    return _text(meaning, enum=[*map(str, choices)])


def _list(meaning: str, item: Schema, **more: Any) -> Schema:
    return _schema("array", meaning, items=item, **more)


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _object(required: Schema, optional: Schema | None = None, meaning: str = "") -> Schema:
    schema = {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
    }
    return {**schema, "description": meaning} if meaning else schema


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_UUID = _text("The job's UUID; UUIDs order by the time at which jobs were accepted", format="uuid")
_MESSAGE = _text("Why the job stands where it stands, in a line")
_PARAMETERS = _schema("object", "What the type's schema asks for, see `GET /v1/types`")
_OPTIONS: Schema = {
    "priority": _integer("0 first … 9 last; the type's without", minimum=0, maximum=9),
    "delay": _schema(
        "number",
        "Seconds until the job may start; not with `startAt`",
        minimum=0,
        maximum=MAX_DELAY_SECONDS,
    ),
    "startAt": _time("When the job may start, at most a year ahead; with a time zone"),
    "timeout": _schema(
        "number",
        "Seconds an attempt may run; the type's without",
        minimum=0,
        maximum=MAX_TIMEOUT_SECONDS,
    ),
}
_PROGRESS: Schema = {
    "uuid": _UUID,
    "state": _choice("Where the job is in its life", State),
    "completeness": _schema("number", "How much is done", minimum=0, maximum=1),
    "resultCode": _integer(
        "-1 until the job is finished; 200 to 399 success, 408 timeout, 410 cancelled, 500 errors "
        "or crashes used up, or what the job chose"
    ),
    "attempt": _integer("The attempt that runs, or ran last; 0 before the first", minimum=0),
}
_SUMMARY: Schema = {
    "uuid": _UUID,
    "type": _text("The job type"),
    "queue": _text("The queue it goes through"),
    "priority": _integer("0 first … 9 last"),
    "state": _PROGRESS["state"],
    "resultCode": _PROGRESS["resultCode"],
    "attempt": _PROGRESS["attempt"],
    "createdTime": _time("When it was accepted"),
    "changedTime": _time("When its record last changed"),
}
_SOMETIMES: Schema = {
    "startedTime": _time("When its first attempt began"),
    "finishedTime": _time("When it ended"),
    "notBeforeTime": _time("It is not started before"),
    "cancelRequestedTime": _time("When its end was asked for"),
    "message": _MESSAGE,
    "crashes": _integer("Crashes since it was accepted or replayed"),
    "continuations": _integer("How often it asked to run again, since then"),
    "replays": _integer("How often it was replayed"),
}
_LINE = _object(
    {
        "attempt": _integer("The attempt that wrote it"),
        "seq": _integer("Its number in the attempt"),
        "time": _time("When it was written"),
        "level": _text("`info`, `warning` or `error`"),
        "message": _text("The line"),
    },
    {"data": _schema("object", "JSON values that came with it")},
)
_ATTEMPT = _object(
    {
        "number": _integer("1 for the first"),
        "worker": _object(
            {"name": _text("Who ran it")},
            {
                "pod": _text("On Kubernetes: its pod"),
                "node": _text("On Kubernetes: the pod's node"),
                "image": _text("On Kubernetes: the worker's image"),
            },
        ),
        "startedTime": _time("When it began"),
    },
    {
        "endedTime": _time("When it ended"),
        "cause": _choice("Why it ended", Cause),
        "message": _text("The same in words"),
    },
)
_LIMITS = _schema(
    "object",
    "Budgets and times that it was accepted with: `maxErrors`, `maxCrashes`, `backoffSeconds`, "
    "`backoffMaxSeconds`, `timeoutSeconds`, `retainOkSeconds`, `retainFailedSeconds`",
)
_ATTEMPTS = _list("The last 50, oldest first", _ref("Attempt"))
_FILTER = _object(
    {},
    {
        "type": _schema(["string", "array"], "One type, or a list", items={"type": "string"}),
        "state": _schema(["string", "array"], "One state, or a list", items={"type": "string"}),
        "queue": _schema(["string", "array"], "One queue, or a list", items={"type": "string"}),
        "uuids": _schema(["string", "array"], "One UUID, or a list", items={"type": "string"}),
    },
    f"Which jobs: all that is given has to hold; lists of at most {MAX_BATCH} texts",
)
_TYPE = _object(
    {
        "name": _text("The type's name"),
        "description": _text("What its class says of itself"),
        "schema": _schema("object", "The JSON Schema of its parameters"),
        "queue": _text("The queue its jobs go through"),
    },
    {
        "priority": _integer("Of its jobs, where a submit gives none"),
        "maxErrors": _integer("The error with this number is final"),
        "maxCrashes": _integer("The crash with this number is final"),
        "backoffSeconds": _schema("number", "Wait after the first error; doubles with each"),
        "backoffMaxSeconds": _schema("number", "The longest such wait"),
        "timeoutSeconds": _schema(["number", "null"], "How long an attempt may run; null: any"),
        "retainOkSeconds": _schema("number", "How long a job is kept that succeeded"),
        "retainFailedSeconds": _schema("number", "How long another finished job is kept"),
        "registeredTime": _time("When a worker last registered it"),
    },
)
_UNSERVED = {
    **_list(
        "Job types with open jobs that no worker of the queue knows; null: no worker was seen yet",
        {"type": "string"},
    ),
    "type": ["array", "null"],
}
_RATE = "a minute, over the last one; null while unknown"
_QUEUE = _object(
    {
        "name": _text("The queue"),
        "ready": _integer("Jobs that could start now"),
        "reserved": _integer("Jobs that workers hold"),
        "delayed": _integer("Jobs that wait for their time"),
        "buried": _integer("Entries that were set aside since they name no job"),
        "arrivalPerMinute": _schema(["number", "null"], f"Jobs that came {_RATE}"),
        "departurePerMinute": _schema(["number", "null"], f"Jobs that ended {_RATE}"),
        "waitingSeconds": _schema(
            ["number", "null"], "How long a job that comes now would wait; null while unknown"
        ),
        "unservedTypes": _UNSERVED,
    }
)
_WORKER = _object(
    {
        "name": _text("The worker"),
        "state": _text("`running` or `draining`"),
        "slots": _integer("How many jobs it runs at the same time"),
        "queues": _list("The queues it serves", {"type": "string"}),
        "types": _list("The types it runs", {"type": "string"}),
        "running": _list(
            "What it runs now",
            _object(
                {
                    "uuid": _UUID,
                    "type": _text("The job's type"),
                    "slot": _integer("The slot it runs in"),
                    "attempt": _integer("The attempt"),
                    "startedTime": _time("When the attempt began"),
                }
            ),
        ),
        "startedTime": _time("When it started"),
        "updatedTime": _time("When it last said that it lives"),
    },
    {
        "host": _text("Its host"),
        "pid": _integer("Its process"),
        "pod": _or_null(_text("On Kubernetes: its pod")),
        "node": _or_null(_text("On Kubernetes: its node")),
        "image": _or_null(_text("On Kubernetes: its image")),
        "beat": _integer("Counts up while it lives"),
    },
)
_POOL = _object(
    {"name": _text("The pool"), "namespace": _text("Its namespace")},
    {
        "queue": _text("The queue it serves"),
        "minReplicas": _integer("The fewest workers"),
        "maxReplicas": _integer("The most workers"),
        "decision": _text("Why it has as many as it has"),
        "ready": _text("`True`, `False` or `Unknown`, as its condition Ready"),
        "message": _text("What the condition says"),
        "unservedTypes": _UNSERVED,
    },
)
_COUNTED = {
    "accepted": "Accepted or replayed",
    "started": "Attempts that began",
    "succeeded": "Jobs that succeeded",
    "failed": "Jobs that failed",
    "cancelled": "Jobs that were cancelled",
    "again": "Attempts that ended without ending their job",
}
_PER_MINUTE = "one a minute, oldest first"
_SECONDS: Schema = {"type": ["number", "null"]}
_HISTORY: Schema = {
    "name": _text("The queue"),
    **{name: _list(f"{_COUNTED[name]}: {_PER_MINUTE}", {"type": "integer"}) for name in COUNTS},
    "waitMeanSeconds": _list(f"How long jobs waited: {_PER_MINUTE}; null: none", _SECONDS),
    "wait95Seconds": _list(f"… 95 in 100 at most: {_PER_MINUTE}; null: none", _SECONDS),
    "runMeanSeconds": _list(f"How long attempts ran: {_PER_MINUTE}; null: none", _SECONDS),
}

SCHEMAS: Schema = {
    "Any": {},
    "Parameters": _PARAMETERS,
    "Accepted": _object({"uuid": _UUID}),
    "Batch": _object(
        {
            "jobs": _list(
                "The jobs, all taken or none",
                _object({"type": _text("The job type")}, {"parameters": _PARAMETERS, **_OPTIONS}),
                minItems=1,
                maxItems=MAX_BATCH,
            )
        }
    ),
    "BatchAccepted": _object({"uuids": _list("The jobs' UUIDs, in the batch's order", _UUID)}),
    "Selection": _object(
        {"filter": _FILTER},
        {"limit": _integer("At most so many; 1,000 without", minimum=1, maximum=MAX_BATCH)},
    ),
    "Changed": _object(
        {
            "changed": _integer("How many jobs were changed"),
            "more": _schema("boolean", "Whether others are left: repeat the call"),
        }
    ),
    "Progress": _object(_PROGRESS, {"message": _MESSAGE}),
    "Summary": _object(_SUMMARY, _SOMETIMES),
    "Page": _object(
        {
            "jobs": _list("The jobs, newest first", _ref("Summary")),
            "next": _schema(["string", "null"], "`cursor` of the next page; null: there is none"),
        }
    ),
    "Info": _object(
        {
            **_SUMMARY,
            "completeness": _PROGRESS["completeness"],
            "limits": _LIMITS,
            "events": _list("The log's lines of level info", _ref("Line")),
            "warnings": _list("Those of level warning", _ref("Line")),
            "errors": _list("Those of level error", _ref("Line")),
            "attempts": _ATTEMPTS,
        },
        _SOMETIMES,
    ),
    "Line": _LINE,
    "Attempt": _ATTEMPT,
    "Data": _object(
        {
            "uuid": _UUID,
            "resultCode": _PROGRESS["resultCode"],
            "data": {"description": "What `run` returned; null: nothing"},
        }
    ),
    "Job": _object(
        {
            **_SUMMARY,
            "completeness": _PROGRESS["completeness"],
            "limits": _LIMITS,
            "parameters": {"description": "What it was submitted with"},
            "data": {"description": "What `run` returned; null: nothing, or not finished"},
            "attempts": _ATTEMPTS,
        },
        {
            **_SOMETIMES,
            "jobState": _schema("object", "What it keeps between attempts (`ctx.state`)"),
            "errors": _integer("Errors since it was accepted or replayed"),
            "entryId": _integer("Its entry in beanstalkd, where known"),
        },
    ),
    "Type": _TYPE,
    "Types": _object({"types": _list("By name", _ref("Type"))}),
    "Queues": _object({"queues": _list("By name", _QUEUE)}),
    "Workers": _object({"workers": _list("Those that live, by name", _WORKER)}),
    "Pools": _object({"pools": _list("Those the operator looks after", _POOL)}),
    "Stats": _object(
        {
            "bucketSeconds": _integer("Seconds that each number stands for: 60"),
            "times": _list("When each minute begins", {"type": "string", "format": "date-time"}),
            "queues": _list("By name", _object(_HISTORY)),
        }
    ),
    "Status": _object(
        {"status": _text("`ok`")},
        {
            "datastore": _text("Of `/readyz`: `ok`"),
            "queue": _text("Of `/readyz`: `ok`"),
        },
    ),
    "Problem": _object(
        {
            "type": _text("`urn:zerog:problem:` and the code"),
            "title": _text("The status in words"),
            "status": _integer("The status"),
            "code": _text("A stable word for programs, e.g. `unknown-type`"),
            "detail": _text("What happened, and what to do"),
        },
        {
            "errors": _list(
                "What is wrong with the request, a fault each",
                _object(
                    {
                        "path": _text("Where: a JSON path, or a parameter's name with `?`"),
                        "message": _text("What is wrong there"),
                    }
                ),
            )
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
