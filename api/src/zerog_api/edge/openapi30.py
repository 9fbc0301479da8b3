"""The specification in OpenAPI 3.0.3, for generators that do not know 3.1.

3.0 has an older dialect of JSON Schema. What it cannot say is said as nearly as it can, or left
out; then the description allows more than before.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from zerog_api.edge.embedding import COMPONENTS, Schema, with_required_apart

#: Keywords that mean the same in both.
_SAME = frozenset({
    "deprecated", "description", "discriminator", "enum", "format", "maxItems", "maxLength",
    "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum", "multipleOf",
    "pattern", "readOnly", "title", "uniqueItems", "writeOnly",
})  # fmt: skip
#: Keywords that are said exactly, so that they may also be negated.
_EXACT = _SAME | {"const", "exclusiveMaximum", "exclusiveMinimum", "required", "type"}
_COMBINING = ("allOf", "anyOf", "oneOf")


def to_openapi_3_0(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a 3.1 document as one of 3.0.3."""
    endless = _endless(document["components"].get("schemas", {}))
    made: dict[str, Any] = _convert(document, _Writer(endless))
    licence = {"name": document["info"]["license"]["name"]}
    return {**made, "openapi": "3.0.3", "info": {**document["info"], "license": licence}}


def _convert(node: Any, writer: "_Writer", place: str = "") -> Any:
    """Return a part of the document with its schemas rewritten."""
    if isinstance(node, list):
        return [_convert(item, writer) for item in node]
    if not isinstance(node, dict):
        return node
    made = {}
    for key, value in node.items():
        if place == "components" and key == "schemas":
            made[key] = {name: writer.write(schema) for name, schema in value.items()}
        elif key == "schema":
            made[key] = writer.write(value)
        else:
            made[key] = _convert(value, writer, key)
    return made


class _Writer:
    """Rewrites schemas."""

    def __init__(self, endless: frozenset[str]) -> None:
        self._endless = endless

    def write(self, schema: Any) -> Schema:
        """Return a schema of 3.0 for one of 3.1."""
        if not isinstance(schema, dict):
            return {"not": {}} if schema is False else {}
        made = {k: v for k, v in schema.items() if k in _SAME or k.startswith("x-")}
        self._write_values(schema, made)
        self._write_parts(schema, made)
        self._write_type(schema, made)
        self._write_reference(schema, made)
        if "default" in schema and not _holds_null(schema["default"]):
            made["default"] = schema["default"]
        return with_required_apart(made)

    def _write_values(self, schema: Schema, made: Schema) -> None:
        if "const" in schema:
            made["enum"] = [schema["const"]]
        if schema.get("examples"):
            made["example"] = schema["examples"][0]
        if schema.get("required"):
            made["required"] = schema["required"]
        low, high = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        if low is not None and low >= schema.get("minimum", low):
            made |= {"minimum": low, "exclusiveMinimum": True}
        if high is not None and high <= schema.get("maximum", high):
            made |= {"maximum": high, "exclusiveMaximum": True}

    def _write_parts(self, schema: Schema, made: Schema) -> None:
        if "properties" in schema:
            made["properties"] = {n: self.write(part) for n, part in schema["properties"].items()}
        if "patternProperties" not in schema and "additionalProperties" in schema:
            rest = schema["additionalProperties"]
            made["additionalProperties"] = rest if isinstance(rest, bool) else self.write(rest)
        if "not" in schema and (schema["not"] is True or set(schema["not"] or ()) <= _EXACT):
            made["not"] = self.write(schema["not"])
        if "items" in schema and "prefixItems" not in schema:
            made["items"] = self.write(schema["items"])
        if "prefixItems" in schema:
            self._write_tuple(schema, made)
        for key in _COMBINING:
            if key not in schema:
                continue
            parts = [part for part in schema[key] if not _is_null(part)]
            if key == "allOf":
                parts = schema[key]
            elif len(parts) < len(schema[key]):
                made["nullable"] = True
            if parts:
                made[key] = [self.write(part) for part in parts]
        if made.get("nullable") and "anyOf" in made and len(made["anyOf"]) == 1:
            self._unwrap(made)

    def _unwrap(self, made: Schema) -> None:
        """Write a value or null as one schema, not as a choice of one."""
        (only,) = made.pop("anyOf")
        if "$ref" in only:
            key = self._wrapper(only["$ref"], made)
            made[key or "anyOf"] = [*made.get(key or "anyOf", ()), only]
        elif set(only) & set(made) - {"nullable"}:
            made["anyOf"] = [{**only, "nullable": True}]
        else:
            made |= {**only, "nullable": True}
            if "enum" in made and None not in made["enum"]:
                made["enum"] = [*made["enum"], None]

    def _write_tuple(self, schema: Schema, made: Schema) -> None:
        first, rest = schema["prefixItems"], schema.get("items", True)
        is_closed = rest is False or schema.get("maxItems", math.inf) <= len(first)
        if rest is False:
            made["maxItems"] = min(len(first), schema.get("maxItems", math.inf))
        if is_closed or rest is not True:
            kinds = first if is_closed else [*first, rest]
            made["items"] = {"anyOf": [self.write(kind) for kind in kinds]}

    def _write_type(self, schema: Schema, made: Schema) -> None:
        given = schema.get("type", [])
        kinds = [given] if isinstance(given, str) else list(given)
        if "null" in kinds:
            kinds.remove("null")
            made["nullable"] = True
            if not kinds:
                made["enum"] = [None]
        if "array" in kinds:
            made.setdefault("items", {})
        if len(kinds) == 1:
            made["type"] = kinds[0]
            if kinds[0] == "number":  # without a format it has 32 bits in Go
                made.setdefault("format", "double")
        elif kinds:
            choice = {"anyOf": [_bare(kind, nullable="nullable" in made) for kind in kinds]}
            made["allOf"] = [*made.get("allOf", ()), choice]
        if None in made.get("enum", ()) and "type" not in schema:
            made["nullable"] = True

    def _write_reference(self, schema: Schema, made: Schema) -> None:
        """3.0 ignores what stands beside a reference."""
        if "$ref" not in schema:
            return
        if not made and "default" not in schema:
            made["$ref"] = schema["$ref"]
            return
        key = self._wrapper(schema["$ref"], made)
        if key is not None:
            made[key] = [*made.get(key, ()), {"$ref": schema["$ref"]}]

    def _wrapper(self, reference: str, made: Schema) -> str | None:
        """Return the keyword by which a schema with others can have a reference.

        Some validators look through `allOf` for properties and do not notice a loop.
        """
        if reference.removeprefix(COMPONENTS) not in self._endless:
            return "allOf"
        return next((key for key in ("anyOf", "oneOf") if key not in made), None)


def _bare(kind: str, *, nullable: bool) -> Schema:
    made: Schema = {"type": kind, **({"items": {}} if kind == "array" else {})}
    return {**made, "nullable": True} if nullable else made


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") in ("null", ["null"])


def _holds_null(value: Any) -> bool:
    """Whether there is a null within a value, which few tools know to be allowed."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return any(item is None or _holds_null(item) for item in inner)
    return False


def _endless(schemas: Mapping[str, Schema]) -> frozenset[str]:
    """Return the components that hold themselves without an object in between."""
    edges = {name: set(_references(schema)) for name, schema in schemas.items()}

    def reaches(name: str) -> set[str]:
        seen: set[str] = set()
        todo = list(edges.get(name, ()))
        while todo:
            found = todo.pop()
            if found not in seen:
                seen.add(found)
                todo += edges.get(found, ())
        return seen

    loops = {name for name in edges if name in reaches(name)}
    return frozenset(name for name in edges if name in loops or reaches(name) & loops)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].removeprefix(COMPONENTS)
        for key in ("items", "not"):
            yield from _references(schema.get(key))
        for key in (*_COMBINING, "prefixItems"):
            for part in schema.get(key, ()):
                yield from _references(part)
