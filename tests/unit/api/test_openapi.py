"""The specification describes every call and type, and is valid as OpenAPI 3.1 and 3.0."""

import json
import pkgutil
from importlib import import_module
from typing import Any, Literal, Optional

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator
from pydantic import BaseModel, Field

from zerog.model.documents import TypeDocument
from zerog_api import calls, models
from zerog_api.auth.access import Verb
from zerog_api.calls import all as listed
from zerog_api.calls.base import CallHandler
from zerog_api.edge.openapi import build_openapi, to_openapi_3_0
from zerog_api.edge.operations import Call, Operation

#: More of them find more; each costs some hundredths of a second.
EXAMPLES = 40
RUN = Call(
    "POST", "/v1/jobs/{name}",
    Operation(
        id="runJob", tag="jobs", summary="Run a job", verb=Verb.CREATE, status=201,
        answer=models.Accepted, parameters=True, query=models.RunQuery, problems=(404, 409),
        idempotency_key=True,
    ),
)  # fmt: skip
BATCH = Call(
    "POST", "/v1/jobs:batch",
    Operation(
        id="runJobs", tag="jobs", summary="Run jobs", verb=Verb.CREATE, status=201,
        answer=models.BatchAccepted, body=models.Batch,
    ),
)  # fmt: skip
LIST = Call(
    "GET", "/v1/jobs",
    Operation(
        id="listJobs", tag="jobs", summary="List jobs", verb=Verb.LIST, answer=models.Page,
        query=models.ListQuery,
    ),
)  # fmt: skip
GET = Call(
    "GET", "/v1/jobs/{name}",
    Operation(
        id="getJob", tag="jobs", summary="Get a job", verb=Verb.GET, answer=models.Job,
        problems=(404,),
    ),
)  # fmt: skip
DELETE = Call(
    "DELETE",
    "/v1/jobs/{name}",
    Operation(id="deleteJob", tag="jobs", summary="Forget", verb=Verb.DELETE, status=204),
)
CANCEL = Call(
    "POST", "/v1/jobs:cancel",
    Operation(
        id="cancelJobs", tag="jobs", summary="Cancel", verb=Verb.UPDATE, answer=models.Changed,
        body=models.Selection,
    ),
)  # fmt: skip
STREAM = Call(
    "GET",
    "/v1/jobs/{uuid}/stream",
    Operation(
        id="streamJob", tag="jobs", summary="Follow", verb=Verb.GET, media="text/event-stream"
    ),
)
METRICS = Call(
    "GET", "/metrics",
    Operation(
        id="getMetrics", tag="system", summary="Metrics", verb=Verb.METRICS, media="text/plain"
    ),
)  # fmt: skip
ALIVE = Call(
    "GET",
    "/healthz",
    Operation(id="isAlive", tag="system", summary="Alive", verb=None, answer=models.Status),
)
MORE = [
    Call("GET", path, Operation(id=name, tag="overview", summary="", verb=Verb.LIST, answer=answer))
    for path, name, answer in (
        ("/v1/types", "listTypes", models.Types),
        ("/v1/queues", "listQueues", models.Queues),
        ("/v1/workers", "listWorkers", models.Workers),
        ("/v1/pools", "listPools", models.Pools),
        ("/v1/stats", "getStats", models.Stats),
        ("/info", "getInfo", models.Info),
        ("/data", "getData", models.Data),
        ("/progress", "getProgress", models.Progress),
    )
]
CALLS = [RUN, BATCH, LIST, GET, DELETE, CANCEL, STREAM, METRICS, ALIVE, *MORE]


def check(document: dict[str, Any]) -> None:
    """Check that a document is valid, also as 3.0."""
    # As a client gets it.
    texts = [json.dumps(document), json.dumps(to_openapi_3_0(document))]
    OpenAPIV31SpecValidator(json.loads(texts[0])).validate()
    OpenAPIV30SpecValidator(json.loads(texts[1])).validate()


def with_type(schema: dict[str, Any], name: str = "Mail") -> dict[str, Any]:
    return build_openapi([RUN], guarded=False, types=[TypeDocument(name, "mail", schema)])


def parameters_in(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"]["MailParameters"]
    return found


def in_3_0(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a property of a type as 3.0 has it."""
    document = with_type({"type": "object", "properties": {"a": schema}})
    check(document)
    found: dict[str, Any] = parameters_in(to_openapi_3_0(document))["properties"]["a"]
    return found


@pytest.mark.parametrize("guarded", [True, False])
def test_the_specification_is_valid_in_both_versions(guarded: bool) -> None:
    types = [TypeDocument("Mail", "mail", {"type": "object"}, description="Sends a mail.")]

    document = build_openapi(CALLS, guarded=guarded, types=types)

    check(document)
    assert document["openapi"] == "3.1.0"
    assert to_openapi_3_0(document)["openapi"] == "3.0.3"
    assert {tag["name"] for tag in document["tags"]} >= {"jobs", "system"}


def test_a_type_that_says_what_it_returns_has_a_schema_of_its_output() -> None:
    output = {"$defs": {"Item": {"type": "string"}}, "items": {"$ref": "#/$defs/Item"}}
    says = TypeDocument("mail", "mail", {}, output_schema={"type": "array", **output})

    document = build_openapi(CALLS, guarded=False, types=[says, TypeDocument("other", "mail", {})])

    check(document)
    schemas = document["components"]["schemas"]
    assert schemas["MailOutput"] == {
        "type": "array", "items": {"$ref": "#/components/schemas/MailItem"}
    }  # fmt: skip
    links = [
        document["paths"][f"/v1/jobs/{name}"]["post"]["responses"]["201"].get("links")
        for name in ("mail", "other")
    ]
    assert links[0]["output"]["operationId"] == "getData"
    assert links[1] is None
    assert "OtherOutput" not in schemas


def test_every_call_has_its_own_name_and_everything_it_may_answer() -> None:
    paths = build_openapi(CALLS, guarded=False)["paths"]

    run = paths["/v1/jobs/{name}"]["post"]
    always = {"405", "421", "422", "429", "500", "503"}
    assert set(run["responses"]) == {"201", "400", "403", "404", "409", "413", "415", *always}
    assert set(paths["/healthz"]["get"]["responses"]) == {"200", *always}
    assert set(paths["/v1/jobs/{name}"]["get"]["responses"]) == {"200", "304", "404", *always}
    assert set(paths["/v1/jobs/{name}"]["delete"]["responses"]) == {"204", "403", *always}
    ids = [facts["operationId"] for path in paths.values() for facts in path.values()]
    assert len(ids) == len(set(ids)) == len(CALLS)


def test_a_guarded_call_asks_for_a_token_and_says_how_it_is_refused() -> None:
    document = build_openapi(CALLS, guarded=True, anonymous={Verb.METRICS})

    listing = document["paths"]["/v1/jobs"]["get"]
    assert listing["security"] == [{"bearer": []}]
    assert {"401", "403"} <= set(listing["responses"])
    assert "421" not in listing["responses"]
    for path in ("/healthz", "/metrics"):
        assert "security" not in document["paths"][path]["get"]
        assert "401" not in document["paths"][path]["get"]["responses"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert "securitySchemes" not in build_openapi(CALLS, guarded=False)["components"]


def test_problems_and_headers_are_described_where_they_are_sent() -> None:
    document = build_openapi(CALLS, guarded=True)

    responses = document["components"]["responses"]
    for problem in responses.values():
        schema = problem["content"]["application/problem+json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Problem"}
    assert set(responses["TooManyRequests"]["headers"]) == {"Retry-After"}
    assert set(responses["Unavailable"]["headers"]) == {"Retry-After"}
    assert set(responses["Unauthorized"]["headers"]) == {"WWW-Authenticate"}
    jobs = document["paths"]["/v1/jobs/{name}"]
    assert set(jobs["post"]["responses"]["201"]["headers"]) == {"Location"}
    assert set(jobs["get"]["responses"]["200"]["headers"]) == {"ETag"}
    assert "content" not in jobs["delete"]["responses"]["204"]
    (media,) = document["paths"]["/v1/jobs/{uuid}/stream"]["get"]["responses"]["200"]["content"]
    assert media == "text/event-stream"


def test_options_are_described_by_the_model_that_reads_them() -> None:
    paths = build_openapi(CALLS, guarded=False)["paths"]

    found = {item["name"]: item for item in paths["/v1/jobs/{name}"]["post"]["parameters"]}
    assert set(found) == {
        "name", "priority", "startAt", "expiresAt", "delay", "timeout", "label", "Idempotency-Key",
    }  # fmt: skip
    assert found["priority"]["schema"] == {"type": "integer", "minimum": 0, "maximum": 9}
    assert found["timeout"]["schema"]["minimum"] == models.MIN_TIMEOUT_SECONDS
    assert all(item["description"] for item in found.values())
    listed = {item["name"]: item for item in paths["/v1/jobs"]["get"]["parameters"]}
    assert listed["state"]["schema"]["items"] == {"$ref": "#/components/schemas/State"}
    assert listed["limit"]["schema"]["default"] == models.DEFAULT_PAGE


def test_every_field_of_every_model_is_described() -> None:
    schemas = build_openapi(CALLS, guarded=False)["components"]["schemas"]

    for name, schema in schemas.items():
        assert schema["description"], name
        for field, found in schema.get("properties", {}).items():
            assert found.get("description"), (name, field)
    assert "additionalProperties" not in schemas["Accepted"]
    assert schemas["BatchItem"]["additionalProperties"] is False
    assert schemas["Accepted"]["required"] == ["uuid"]
    assert schemas["Accepted"]["properties"]["warning"]["type"] == "string"
    assert schemas["Page"]["properties"]["next"]["type"] == ["string", "null"]


def test_pages_are_not_described() -> None:
    page = Operation(id="x", tag="pages", summary="", verb=None)

    assert build_openapi([Call("GET", "/", page)], guarded=False)["paths"] == {}


def test_no_handler_is_left_out_of_the_list_of_calls() -> None:
    modules = [
        import_module(f"{calls.__name__}.{item.name}")
        for item in pkgutil.iter_modules(calls.__path__)
    ]
    written = {
        item
        for module in modules
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, CallHandler) and item.__dict__.get("path")
    }

    assert len(written) > 20
    assert written <= set(listed.CALLS)


def test_two_calls_with_one_name_or_one_path_are_an_error() -> None:
    with pytest.raises(ValueError, match="runJob"):
        build_openapi([RUN, RUN], guarded=False)
    other = Call("PUT", "/v1/jobs/{uuid}", ALIVE.operation)
    with pytest.raises(ValueError, match="the same path"):
        build_openapi([RUN, other], guarded=False)


def test_the_prefix_of_another_application_is_the_server() -> None:
    assert build_openapi([RUN], guarded=False)["servers"] == [{"url": "/"}]
    assert build_openapi([RUN], guarded=False, prefix="/jobs")["servers"] == [{"url": "/jobs"}]


# Job types


class Address(BaseModel):
    """Where it goes."""

    street: str
    country: Literal["NL", "BE"] = "NL"


class Tree(BaseModel):
    value: Any = None
    children: list["Tree"] = []


class Parcel(BaseModel):
    to: Address = Field(description="The receiver.")
    back: Optional[Address] = Field(None, description="The sender.")  # noqa: UP045
    content: Tree | Address = Tree()
    sizes: tuple[int, float] = (1, 2.0)
    weight: float = Field(gt=0, lt=100)
    wrong: int = Field(-1, ge=0)


def test_a_type_has_its_own_path_with_its_parameters() -> None:
    document = with_type(Parcel.model_json_schema())

    check(document)
    call = document["paths"]["/v1/jobs/Mail"]["post"]
    general = document["paths"]["/v1/jobs/{name}"]["post"]
    assert call["operationId"] == "runMail"
    assert call["responses"] == general["responses"]
    assert [item["name"] for item in call["parameters"]] == [
        item["name"] for item in general["parameters"] if item["in"] != "path"
    ]
    body = call["requestBody"]
    assert body["required"]
    assert body["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/MailParameters"
    }
    assert parameters_in(document)["properties"]["to"] == {
        "$ref": "#/components/schemas/MailAddress",
        "description": "The receiver.",
    }
    assert "MailTree" in document["components"]["schemas"]


def test_a_default_that_its_schema_does_not_allow_is_left_out() -> None:
    fields = parameters_in(with_type(Parcel.model_json_schema()))["properties"]

    assert "default" not in fields["wrong"]
    assert fields["sizes"]["default"] == [1, 2.0]


def test_a_schema_that_is_only_a_reference_begins_with_its_definition() -> None:
    document = with_type(Tree.model_json_schema())

    check(document)
    children = parameters_in(document)["properties"]["children"]
    assert children["items"] == {"$ref": "#/components/schemas/MailParameters"}


def test_types_of_any_name_have_names_and_paths_of_their_own() -> None:
    names = ["Job", "Jobs", "job", "a-b", "a.b", "A_B", "ü/{x}", "Mail", "MailParameters"]
    types = [TypeDocument(name, "q", {"$defs": {"x": {}}, "$ref": "#/$defs/x"}) for name in names]

    document = build_openapi(CALLS, guarded=False, types=types)

    check(document)
    assert "/v1/jobs/%C3%BC%2F%7Bx%7D" in document["paths"]
    ids = [facts["operationId"] for path in document["paths"].values() for facts in path.values()]
    assert len(ids) == len({name.lower() for name in ids}) == len(CALLS) + len(types)


def test_a_type_never_changes_what_is_described_without_it() -> None:
    before = json.dumps(build_openapi(CALLS, guarded=False))

    build_openapi(CALLS, guarded=False, types=[TypeDocument("Mail", "q", Tree.model_json_schema())])

    assert json.dumps(build_openapi(CALLS, guarded=False)) == before


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"properties": {"a": {"allOf": [{"$ref": "#/properties/a"}, {"default": 5}]}}},
        {"properties": {"a": {"$ref": "#/properties/b/items"}, "b": {"items": {"type": "null"}}}},
        {"properties": {"a": {"$ref": "https://example.org/x"}, "b": {"$ref": "#nobody"}}},
        {"$id": "https://example.org/x", "$schema": "http://json-schema.org/draft-07/schema#",
         "definitions": {"a/b": {"type": "string"}},
         "properties": {"a": {"$ref": "#/definitions/a~1b"}}},
        {"properties": {"$ref": {"type": "string"}, "default": {"const": {"$ref": "#/x"}}}},
        {"allOf": [{"properties": {"a": {}}}], "required": ["a", "b"]},
        {"$defs": {"j": {"type": "array", "items": {"$ref": "#/$defs/j"}}},
         "properties": {"a": {"$ref": "#/$defs/j", "description": "nested"}}},
        {"type": 5, "required": "a", "properties": [], "enum": [], "pattern": "(", "minimum": "x"},
        {"properties": {"a": {"type": ["string", "null", "integer"], "enum": ["x", None, 1]},
                        "b": {"type": "null", "default": None}, "c": True, "d": False}},
        {"additionalProperties": {"type": "integer"}, "patternProperties": {"^x": {}, "(": {}}},
        {"properties": {"a": {"default": "no date", "format": "date", "type": "string"}}},
        {"properties": {"a": {"default": 5.0, "type": "integer"}}},
        {"properties": {"a": {"default": {"$ref": "x"}, "examples": [{"$ref": "x"}]}}},
        {"properties": {"a": {"not": {"$ref": "https://example.org/x"}}}},
        {"externalDocs": 5, "xml": [], "discriminator": {"mapping": {"a": "b"}}, "x-mine": None},
    ],
)  # fmt: skip
def test_no_type_can_break_the_specification(schema: dict[str, Any]) -> None:
    check(with_type(schema))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": "a"}, {"enum": ["a"]}),
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string", "nullable": True}),
        ({"anyOf": [{"enum": ["a"]}, {"type": "null"}]}, {"enum": ["a", None], "nullable": True}),
        ({"exclusiveMinimum": 1}, {"minimum": 1, "exclusiveMinimum": True}),
        ({"exclusiveMinimum": 1, "minimum": 5}, {"minimum": 5}),
        ({"exclusiveMaximum": 1, "maximum": 5}, {"maximum": 1, "exclusiveMaximum": True}),
        ({"examples": [1, 2]}, {"example": 1}),
        ({"type": "array"}, {"type": "array", "items": {}}),
        ({"prefixItems": [{"const": 1}], "items": False},
         {"items": {"anyOf": [{"enum": [1]}]}, "maxItems": 1}),
        ({"prefixItems": [{"const": 1}]}, {}),
        ({"type": ["string", "integer"], "minimum": 1},
         {"minimum": 1, "allOf": [{"anyOf": [{"type": "string"}, {"type": "integer"}]}]}),
        ({"not": {"const": 1}}, {"not": {"enum": [1]}}),
        ({"not": {"contains": {"const": 1}}}, {}),
        ({"if": {}, "then": {}, "contains": {}, "propertyNames": {}, "contentEncoding": "x"}, {}),
    ],
)  # fmt: skip
def test_what_3_0_cannot_say_is_said_as_nearly_as_it_can(
    schema: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert in_3_0(schema) == expected


def test_what_stands_beside_a_reference_is_kept_in_3_0() -> None:
    document = to_openapi_3_0(with_type(Parcel.model_json_schema()))

    fields = parameters_in(document)["properties"]
    reference = {"$ref": "#/components/schemas/MailAddress"}
    assert fields["to"] == {"description": "The receiver.", "allOf": [reference]}
    assert fields["back"]["nullable"]
    assert fields["back"]["allOf"] == [reference]
    assert document["info"]["license"] == {"name": "Apache-2.0"}


names = st.sampled_from(["a", "b", "$ref", "x/y"])
references = st.sampled_from(
    ["#", "#/$defs/a", "#/$defs/b", "#/properties/a", "#/properties/b/items", "#/x", "other.json"]
)
anything: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2) | st.just([])
)
KINDS = ["array", "boolean", "integer", "null", "number", "object", "string"]


def extend(
    inner: st.SearchStrategy[Any], refers: st.SearchStrategy[str] = references
) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=2)
    by_name = st.dictionaries(names, inner, max_size=2)
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "$ref": refers,
        "type": st.sampled_from(KINDS)
        | st.lists(st.sampled_from(KINDS), unique=True, min_size=1, max_size=3),
        "enum": st.lists(anything, min_size=1, max_size=3),
        "const": anything,
        "default": anything | st.lists(anything) | st.dictionaries(names, anything),
        "examples": st.lists(anything, max_size=2),
        "description": st.just("It is what it is."),
        "format": st.sampled_from(["date-time", "uuid", "byte", "whatever"]),
        "exclusiveMinimum": st.integers(-1, 1),
        "minimum": st.integers(-1, 1),
        "maxLength": st.integers(0, 2),
        "required": st.lists(names, unique=True, max_size=2),
        "properties": by_name,
        "additionalProperties": inner,
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "("]), inner, max_size=1),
        "items": inner,
        "prefixItems": several,
        "anyOf": several,
        "oneOf": several,
        "not": inner,
        "if": inner,
    }
    return st.fixed_dictionaries({}, optional=keywords)


schemas: st.SearchStrategy[Any] = st.recursive(st.booleans() | st.just({}), extend, max_leaves=6)
definitions = st.fixed_dictionaries({"a": schemas, "b": schemas})
roots = st.builds(
    lambda root, inner: {**root, "$defs": inner},
    extend(schemas).map(lambda root: {**root, "type": "object"}),
    definitions,
)
garbage = st.dictionaries(
    st.sampled_from(["type", "properties", "$ref", "$defs", "items", "enum", "required",
                     "discriminator", "allOf", "minimum", "pattern", "additionalProperties"]),
    anything | st.lists(anything) | st.dictionaries(names, anything),
)  # fmt: skip


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(schema=roots | garbage)
def test_any_type_leaves_the_specification_valid(schema: dict[str, Any]) -> None:
    check(with_type(schema))


# Only to definitions that hold no references: a loop would never end.
closed: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.just({}), lambda inner: extend(inner, st.just("#/$defs/none")), max_leaves=4
).filter(lambda schema: "$ref" not in json.dumps(schema))
opened = st.recursive(
    closed, lambda inner: extend(inner, st.sampled_from(["#/$defs/a", "#/$defs/b"])), max_leaves=4
).filter(lambda schema: isinstance(schema, dict))
values = st.dictionaries(names, anything | st.dictionaries(names, anything, max_size=2), max_size=3)


def compile_or_none(schema: dict[str, Any]) -> Any:
    try:
        return jsonschema_rs.Draft202012Validator(schema, offline=True)
    except ValueError:
        return None


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(schema=opened, inner=st.tuples(closed, closed), value=values)
def test_the_component_allows_what_the_schema_allows(
    schema: dict[str, Any], inner: tuple[Any, Any], value: dict[str, Any]
) -> None:
    schema = {**schema, "$defs": {"a": inner[0], "b": inner[1]}}
    check_original = compile_or_none(schema)
    assume(check_original is not None)

    components = with_type(schema)["components"]

    check_component = compile_or_none(
        {"$ref": "#/components/schemas/MailParameters", "components": components}
    )
    assert not check_original.is_valid(value) or check_component.is_valid(value)
