"""The specification, made of the calls' operations and of the models that they name. Pure.

Every status that a call may answer with is described. Problems stand in `components` once, since
nearly all calls share them. Each registered job type gets a path of its own beside the general one,
so that generated clients know its parameters; both are the same call.

What is made is kept for the next caller: nobody may change what `build_openapi` returns.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

from msgspec import UNSET
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

import zerog
from zerog.model import jsontext
from zerog.model.documents import TypeDocument
from zerog.model.names import MAX_IDEMPOTENCY_KEY_BYTES, MAX_QUEUE_NAME, MAX_WORKER_NAME
from zerog_api import models
from zerog_api.auth.access import CHANGES, Verb
from zerog_api.edge.embedding import COMPONENTS, OUTPUT, PARAMETERS, Schema, embed
from zerog_api.edge.openapi30 import to_openapi_3_0
from zerog_api.edge.operations import JSON, SEGMENT, Call, Operation

__all__ = ["build_openapi", "to_openapi_3_0"]

PROBLEM = "application/problem+json"
#: Only calls with one of these tags are described.
TAGS = {
    "jobs": "Run jobs, follow them and change them.",
    "types": "The job types that workers have registered.",
    "overview": "Queues, workers, pools and what happened in the last hours; pause and drain.",
    "system": "The API itself: its specification, probes and metrics.",
}
#: Problems: name in `components`, description, headers.
_PROBLEMS: dict[int, tuple[str, str, tuple[str, ...]]] = {
    400: ("BadRequest", "The request is broken, or its body is not JSON.", ()),
    401: ("Unauthorized", "The request has no valid token.", ("WWW-Authenticate",)),
    403: ("Forbidden", "The caller may not do this.", ()),
    404: ("NotFound", "There is no such job, job type, queue or worker.", ()),
    405: ("MethodNotAllowed", "The path does not have this method.", ("Allow",)),
    409: ("Conflict", "The state of the job, or an earlier request, does not allow this.", ()),
    413: ("TooLarge", "The body is too large.", ()),
    415: ("NotJson", "The body is of another media type than JSON.", ()),
    421: ("ForeignHost", "The API may not be called by this host name.", ()),
    422: ("Invalid", "The request does not fit. `errors` says what is wrong and where.", ()),
    429: ("TooManyRequests", "The client has too many requests or connections.", ("Retry-After",)),
    500: ("InternalError", "A bug. The log of the server says more.", ()),
    503: ("Unavailable", "A part of the system is unavailable.", ("Retry-After",)),
}
_HEADERS = {
    "Allow": ("The methods of the path.", "string"),
    "ETag": ("Changes whenever the job does.", "string"),
    "Location": ("The path of the job.", "string"),
    "Retry-After": ("Seconds to wait before the next request.", "integer"),
    "WWW-Authenticate": ("What kind of token is needed.", "string"),
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A repeated request with the same key and body gets the same answer.",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY_BYTES},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an earlier answer. If it still holds, the answer is 304.",
    "required": False,
    "schema": {"type": "string"},
}
_PARAMETERS: Schema = {
    "type": "object",
    "description": "The parameters of the job, as the schema of its type asks for them.",
    # Without it, openapi-typescript allows no parameter at all.
    "additionalProperties": True,
}
_A_JOB = ("The UUID of the job.", {"format": "uuid"})
#: What the segments of paths are, where they name no job type.
_SEGMENTS: dict[str, tuple[str, Schema]] = {
    "uuid": _A_JOB,
    "name": _A_JOB,
    "queue": ("The name of the queue.", {"minLength": 1, "maxLength": MAX_QUEUE_NAME}),
    "worker": ("The name of the worker.", {"minLength": 1, "maxLength": MAX_WORKER_NAME}),
}


def build_openapi(
    calls: Sequence[Call],
    *,
    guarded: bool,
    types: Iterable[TypeDocument] = (),
    anonymous: Collection[Verb] = (),
    prefix: str = "",
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of calls.

    Args:
        calls: What to describe.
        guarded: Whether callers need a token.
        types: The job types that get a path of their own.
        anonymous: Verbs that need no token even so.
        prefix: Where the paths begin, if the API is part of another application.

    Raises:
        ValueError: Two calls have the same id, or paths that differ only in a name.
    """
    guarded_verbs = frozenset(Verb) - frozenset(anonymous) if guarded else frozenset()
    described = tuple(call for call in calls if call.operation.tag in TAGS)
    found = sorted(map(_DescribedType.of, types))
    if not any(call.operation.parameters for call in described):
        found = []
    return _describe_all(described, guarded, guarded_verbs, prefix, tuple(found))


class _DescribedType(NamedTuple):
    """What is described of a job type; schemas are JSON, so that it can be compared."""

    name: str
    description: str
    schema: bytes
    output_schema: bytes

    @classmethod
    def of(cls, item: TypeDocument) -> "_DescribedType":
        output = {} if item.output_schema is UNSET else item.output_schema
        schemas = jsontext.dumps(item.schema), jsontext.dumps(output)
        return cls(item.name, item.description, *schemas)


#: Callers see different types, but there are few kinds of callers.
MAX_KEPT = 16


@lru_cache(maxsize=MAX_KEPT)
def _describe_all(
    calls: tuple[Call, ...],
    guarded: bool,
    guarded_verbs: frozenset[Verb],
    prefix: str,
    types: tuple[_DescribedType, ...],
) -> dict[str, Any]:
    document = _describe(calls, guarded, guarded_verbs, prefix)
    if not types:
        return document
    general = next(call for call in calls if call.operation.parameters)
    more = _Types(document, general)
    for job_type in types:
        more.add(job_type)
    return more.document()


@lru_cache(maxsize=16)
def _describe(
    calls: tuple[Call, ...], guarded: bool, guarded_verbs: frozenset[Verb], prefix: str
) -> dict[str, Any]:
    _check_unique(calls)
    paths: dict[str, Any] = {}
    for call in calls:
        needs_token = call.operation.verb in guarded_verbs
        described = _operation(call, needs_token, guarded)
        paths.setdefault(call.path, {})[call.method.lower()] = described
    components: dict[str, Any] = {
        "schemas": _model_schemas(calls),
        "responses": {name: _problem(status) for status, (name, *_) in _PROBLEMS.items()},
        "headers": {
            name: {"description": text, "schema": {"type": kind}}
            for name, (text, kind) in _HEADERS.items()
        },
    }
    if guarded:
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": "A token of the caller."}
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ZeroG",
            "version": zerog.__version__,
            "description": "Background jobs: POST one, follow it by its UUID. Every error is a "
            "problem document (RFC 9457) with a stable `code`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": prefix or "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": components,
    }


def _check_unique(calls: Sequence[Call]) -> None:
    ids: set[str] = set()
    paths: dict[str, str] = {}
    for call in calls:
        if call.operation.id in ids:
            raise ValueError(f"two calls have the id {call.operation.id}")
        ids.add(call.operation.id)
        known = paths.setdefault(SEGMENT.sub("{}", call.path), call.path)
        if known != call.path:
            raise ValueError(f"{known} and {call.path} are the same path")


def _operation(call: Call, needs_token: bool, guarded: bool) -> dict[str, Any]:
    facts = call.operation
    parameters = [_path_parameter(name, facts) for name in SEGMENT.findall(call.path)]
    parameters += _query_parameters(facts.query) if facts.query else []
    parameters += [_IDEMPOTENCY_KEY] if facts.idempotency_key else []
    parameters += [_IF_NONE_MATCH] if facts.answer is models.Job else []
    responses = {str(facts.status): _success(facts)}
    if facts.answer is models.Job:
        responses["304"] = {"description": "The job has not changed."}
    for status in sorted(_statuses(facts, needs_token, guarded)):
        responses[str(status)] = {"$ref": f"#/components/responses/{_PROBLEMS[status][0]}"}
    described: dict[str, Any] = {
        "operationId": facts.id,
        "tags": [facts.tag],
        "summary": facts.summary,
        "parameters": parameters,
        "responses": responses,
    }
    if needs_token:
        described["security"] = [{"bearer": []}]
    if facts.body is not None:
        needed = any(field.is_required() for field in facts.body.model_fields.values())
        described["requestBody"] = _body(
            {"$ref": COMPONENTS + facts.body.__name__}, required=needed
        )
    elif facts.parameters:
        described["requestBody"] = _body(_PARAMETERS, required=False)
    return described


def _statuses(facts: Operation, needs_token: bool, guarded: bool) -> set[int]:
    """Return the statuses of all problems that a call may answer with."""
    # Another method, an unknown query parameter and too many connections.
    found = {405, 422, 429, 500, 503, *facts.problems}
    if facts.body is not None or facts.parameters:
        found |= {400, 413, 415}
    if needs_token:
        found |= {401, 403}
    elif facts.verb in CHANGES:  # pages of other origins
        found.add(403)
    if not guarded:
        found.add(421)
    return found


def _success(facts: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": facts.summary}
    if facts.answer is not None:
        answer["content"] = {facts.media: {"schema": {"$ref": COMPONENTS + facts.answer.__name__}}}
    elif facts.status != HTTPStatus.NO_CONTENT:
        any_object = {"type": "object", "additionalProperties": True}
        schema = any_object if facts.media == JSON else {"type": "string"}
        answer["content"] = {facts.media: {"schema": schema}}
    headers = {models.Accepted: ("Location",), models.Job: ("ETag",)}
    if facts.answer in headers:
        answer["headers"] = _refer_to_headers(headers[facts.answer])
    return answer


def _problem(status: int) -> dict[str, Any]:
    _, description, headers = _PROBLEMS[status]
    answer: dict[str, Any] = {
        "description": description,
        "content": {PROBLEM: {"schema": {"$ref": f"{COMPONENTS}Problem"}}},
    }
    return {**answer, "headers": _refer_to_headers(headers)} if headers else answer


def _refer_to_headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _body(schema: Schema, *, required: bool) -> dict[str, Any]:
    return {"required": required, "content": {JSON: {"schema": schema}}}


def _path_parameter(name: str, facts: Operation) -> dict[str, Any]:
    is_type = facts.parameters or facts.tag == "types"
    description, limit = (
        ("The name of the job type.", {"minLength": 1}) if is_type else _SEGMENTS[name]
    )
    return {
        "name": name,
        "in": "path",
        "description": description,
        "required": True,
        "schema": {"type": "string", **limit},
    }


def _query_parameters(model: type[BaseModel]) -> Iterator[dict[str, Any]]:
    schema = _schema_of(model)
    for name, found in schema.get("properties", {}).items():
        kind = {key: value for key, value in found.items() if key != "description"}
        if isinstance(kind.get("type"), list):  # a text in a query is never null
            kind["type"] = next(item for item in kind["type"] if item != "null")
        yield {
            "name": name,
            "in": "query",
            "description": found.get("description", ""),
            "required": name in schema.get("required", ()),
            "schema": kind,
        }


def _model_schemas(calls: Sequence[Call]) -> dict[str, Schema]:
    """Return the schemas of all models that calls name, and of those within them."""
    used: dict[type[BaseModel], None] = {models.Problem: None}
    found: dict[str, Schema] = {}
    for call in calls:
        for model in (call.operation.body, call.operation.answer):
            if model is not None:
                used[model] = None
        if call.operation.query is not None:
            found |= _schema_of(call.operation.query).get("$defs", {})
    _, made = models_json_schema(
        [(model, "validation") for model in used],
        ref_template=f"{COMPONENTS}{{model}}",
        schema_generator=_Generator,
    )
    return dict(sorted((found | made["$defs"]).items()))


def _schema_of(model: type[BaseModel]) -> Schema:
    return model.model_json_schema(
        ref_template=f"{COMPONENTS}{{model}}", schema_generator=_Generator
    )


class _Generator(GenerateJsonSchema):
    """Writes schemas for readers: no titles made of names, no `null` that is only a default."""

    def field_title_should_be_set(self, schema: object) -> bool:
        """Say no: a title would repeat the name."""
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Return the schema of a model, without a title."""
        return _untitled(super().model_schema(schema))

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        """Return the schema of an enumeration, without a title."""
        return _untitled(super().enum_schema(schema))

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Return the schema of a value that may be missing."""
        made = super().default_schema(schema)
        empty = made.get("default") in (None, [], ())
        return {k: v for k, v in made.items() if k != "default"} if empty else made

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Return the schema of a value or null: with two types, where it has one."""
        made = super().nullable_schema(schema)
        inner = made.get("anyOf", [{}])[0]
        if isinstance(inner.get("type"), str) and "enum" not in inner:
            return {**inner, "type": [inner["type"], "null"]}
        return made


def _untitled(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "title"}


class _Types:
    """Adds job types to a specification."""

    def __init__(self, document: dict[str, Any], general: Call) -> None:
        self._base = document
        self._general = general
        self._operation = document["paths"][general.path][general.method.lower()]
        self._paths: dict[str, Any] = {}
        self._schemas: dict[str, Schema] = {}
        self._names = {name.lower() for name in document["components"]["schemas"]}
        self._ids = {
            operation["operationId"].lower()
            for path in document["paths"].values()
            for operation in path.values()
        }

    def add(self, job_type: _DescribedType) -> None:
        """Describe how a job of a type is run, and what it returns."""
        name, word = job_type.name, _pascal(job_type.name)
        schema, output = jsontext.loads(job_type.schema), jsontext.loads(job_type.output_schema)
        parts = self._embed(word, PARAMETERS, schema)
        path = SEGMENT.sub(lambda _: quote(name, safe=""), self._general.path)
        described = {
            **self._operation,
            "operationId": _free(f"run{word}", self._ids),
            "summary": f"Run a job of the type {name}",
            "parameters": [p for p in self._operation["parameters"] if p["in"] != "path"],
            "requestBody": _body(
                {"$ref": COMPONENTS + next(iter(parts))}, required=bool(schema.get("required"))
            ),
        }
        if job_type.description:
            described["description"] = job_type.description
        if output:
            answer = next(iter(self._embed(word, OUTPUT, output)))
            described["responses"] = self._with_link(answer)
        self._paths[path] = {self._general.method.lower(): described}

    def _embed(self, word: str, kind: str, schema: Schema) -> dict[str, Schema]:
        parts = embed(word, kind, schema, lambda wanted: _free(wanted, self._names))
        self._schemas |= parts
        return parts

    def _with_link(self, output: str) -> dict[str, Any]:
        """Return the answers of a call; the accepted job leads to its output."""
        status = str(self._general.operation.status)
        link = {
            "operationId": "getData",
            "parameters": {"uuid": "$response.body#/uuid"},
            "description": f"`data` is of the schema {output}.",
        }
        accepted = {**self._operation["responses"][status], "links": {"output": link}}
        return {**self._operation["responses"], status: accepted}

    def document(self) -> dict[str, Any]:
        """Return the specification with all that was added."""
        components = self._base["components"]
        schemas = {**components["schemas"], **self._schemas}
        return {
            **self._base,
            "paths": {**self._base["paths"], **self._paths},
            "components": {**components, "schemas": schemas},
        }


def _pascal(name: str) -> str:
    """Return a name as one word that begins with a capital: `send-mail` is `SendMail`."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    return "".join(word[0].upper() + word[1:] for word in words) or "Type"


def _free(name: str, taken: set[str]) -> str:
    """Return the name, with a number if it is taken; note it as taken. Case does not count:
    generators make files of names."""
    free, number = name, 1
    while free.lower() in taken:
        number += 1
        free = f"{name}{number}"
    taken.add(free.lower())
    return free
