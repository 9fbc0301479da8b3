"""The schemas of job types as components of the specification.

What a worker registers is JSON Schema as its author or pydantic wrote it. In the specification it
must not break the whole document, so only keywords are kept that are known and well formed. All
that a schema refers to becomes a component of its own: references hold wherever the schema stands,
and also in OpenAPI 3.0, which knows no `$defs`. A reference to anything else is dropped, which
leaves the value open. No tool that reads the specification is sent to another address.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

Schema = dict[str, Any]
Place = tuple[str, ...]

#: Schemas within schemas; what is deeper is left open.
MAX_DEPTH = 64
#: A default is kept if a schema of at most this many parts says that it fits.
MAX_PARTS = 200
COMPONENTS = "#/components/schemas/"
#: Keywords whose values are schemas: by name, in a list, or one.
MAPS = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
ONES = frozenset({
    "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
    "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
#: Keywords with schemas for the same value, not for a part of it.
_SAME_VALUE = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else"})
_NEGATED = frozenset({"not", "if"})
_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


def _is_regex(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except (re.error, RecursionError, OverflowError):
        return False


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_names(value: Any) -> bool:
    texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return texts and len(set(value)) == len(value)


def _is_type(value: Any) -> bool:
    kinds = [value] if isinstance(value, str) else value
    return _is_names(kinds) and bool(kinds) and set(kinds) <= _TYPES


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_choice(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and _is_plain(value)


def _is_plain(value: Any) -> bool:
    """Whether no tool can take a part of a value for a reference. Many look everywhere."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return not isinstance(value, Mapping) or (
        "$ref" not in value and all(map(_is_plain, value.values()))
    )


_FORMS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("$ref", "description", "format", "title"), _is_text),
    **dict.fromkeys(("contentEncoding", "contentMediaType"), _is_text),
    **dict.fromkeys(("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"), _is_number),
    **dict.fromkeys(("maxItems", "maxLength", "maxProperties", "maxContains"), _is_count),
    **dict.fromkeys(("minItems", "minLength", "minProperties", "minContains"), _is_count),
    **dict.fromkeys(("deprecated", "readOnly", "uniqueItems", "writeOnly"), _is_flag),
    **dict.fromkeys(("const", "default"), _is_plain),
    "enum": _is_choice,
    "examples": _is_choice,
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "pattern": _is_regex,
    "required": _is_names,
    "type": _is_type,
}


#: What schemas describe of a job type.
PARAMETERS, OUTPUT = "Parameters", "Output"


def embed(
    name: str, kind: str, schema: Mapping[str, Any], rename: Callable[[str], str]
) -> dict[str, Schema]:
    """Return the components of a job type's schema by their names: the first is its own.

    `kind` is what the schema describes of the type. `rename` makes a name that
    is not taken yet from the one that a component would have.
    """
    root = _clean(schema, MAX_DEPTH)
    parts = dict(_parts(root, ()))
    start = _start(root, parts)
    names = {start: rename(f"{name}{kind}")}
    for place in _targets(parts):
        if place not in names:
            names[place] = rename(name + _title(place[-1]) if place else f"{name}Root")
    made = {names[place]: _write(parts[place], place, names, is_root=True) for place in names}
    if kind == PARAMETERS:
        made[names[start]].setdefault("type", "object")
    for part in made.values():
        # Some generators prefer it to the name of the component, and it is not unique.
        part.pop("title", None)
    for cut in list(_idle_references(made)):
        del cut["$ref"]
    for node in [node for part in made.values() for _, node in _parts(part, ())]:
        if "default" in node and not _fits(node, made):
            del node["default"]
    return {key: with_required_apart(part) for key, part in made.items()}


def _title(text: str) -> str:
    """Return a text as a part of a name: `order_line` is `OrderLine`."""
    words = re.findall(r"[A-Za-z0-9]+", text)
    return "".join(word[0].upper() + word[1:] for word in words) or "Part"


def _clean(schema: Any, depth: int) -> Schema:
    """Return a schema with the keywords that are known and well formed, and nothing else."""
    if schema is False:
        return {"not": {}}
    if not isinstance(schema, Mapping) or depth == 0:
        return {}
    made: Schema = {}
    for key, value in schema.items():
        if key in MAPS and isinstance(value, Mapping):
            usable = (item for item in value.items() if _is_schema(item[1]))
            if key == "patternProperties":
                usable = (item for item in usable if _is_regex(item[0]))
            made[key] = {name: _clean(part, depth - 1) for name, part in usable}
        elif key in LISTS and isinstance(value, list):
            if parts := [_clean(part, depth - 1) for part in value if _is_schema(part)]:
                made[key] = parts
        elif key in ONES and _is_schema(value):
            part = value if isinstance(value, bool) else _clean(value, depth - 1)
            # What is left open in a negated schema would be forbidden.
            if key not in _NEGATED or not any("$ref" in node for _, node in _parts(part, ())):
                made[key] = part
        elif key == "discriminator":
            made |= _discriminator(value)
        elif (key in _FORMS or key.startswith("x-")) and _FORMS.get(key, _is_plain)(value):
            made[key] = value
    if "default" in made:
        made["default"] = _whole(made["default"])
    if "enum" in made:
        values = [_whole(value) for value in made["enum"]]
        made["enum"] = list({json.dumps(value, sort_keys=True): value for value in values}.values())
    return made


def _whole(value: Any) -> Any:
    """Return 1 for 1.0, which is an integer in 3.1 and none in 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_schema(value: Any) -> bool:
    return isinstance(value, bool | Mapping)


def _discriminator(value: Any) -> Schema:
    """Return the keyword if it has all that OpenAPI asks for. pydantic writes it."""
    if not isinstance(value, Mapping) or not isinstance(value.get("propertyName"), str):
        return {}
    mapping = value.get("mapping", {})
    if not isinstance(mapping, Mapping) or not all(isinstance(v, str) for v in mapping.values()):
        return {}
    return {"discriminator": {"propertyName": value["propertyName"], "mapping": dict(mapping)}}


def _parts(node: Any, place: Place) -> Iterator[tuple[Place, Schema]]:
    """Yield a schema and all within it, each with its place."""
    if isinstance(node, dict):
        yield place, node
        for where, part in _children(node):
            yield from _parts(part, (*place, *where))


def _children(node: Schema) -> Iterator[tuple[Place, Any]]:
    for key, value in node.items():
        if key in MAPS:
            yield from (((key, name), part) for name, part in value.items())
        elif key in LISTS:
            yield from (((key, str(number)), part) for number, part in enumerate(value))
        elif key in ONES:
            yield (key,), value


def _place_of(reference: str) -> Place | None:
    """Return the place that a reference names; None if it is not within the schema."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    steps = unquote(reference).split("/")[1:]
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)


def _start(root: Schema, parts: Mapping[Place, Schema]) -> Place:
    """Return where the schema begins: some are nothing but a reference to their definition."""
    place: Place = ()
    for _ in range(MAX_DEPTH):
        node = parts[place]
        found = _place_of(node["$ref"]) if "$ref" in node else None
        if found is None or found not in parts or set(node) - {"$ref", "$defs", "definitions"}:
            return place
        place = found
    return ()


def _targets(parts: Mapping[Place, Schema]) -> list[Place]:
    """Return the places that something refers to."""
    found: dict[Place, None] = {}
    for node in parts.values():
        mapping = node.get("discriminator", {}).get("mapping", {})
        for reference in (node.get("$ref", ""), *mapping.values()):
            place = _place_of(reference)
            if place is not None and place in parts:
                found[place] = None
    return list(found)


def _write(node: Any, place: Place, names: Mapping[Place, str], *, is_root: bool = False) -> Any:
    """Return a schema with references to components, also where its parts have become some."""
    if not isinstance(node, dict):
        return node
    if not is_root and place in names:
        return {"$ref": COMPONENTS + names[place]}
    made = {key: value for key, value in node.items() if key not in MAPS | LISTS | ONES}
    _write_references(made, names)
    for where, part in _children(node):
        if where[0] in ("$defs", "definitions"):
            continue
        written = _write(part, (*place, *where), names)
        if where[0] in MAPS:
            made.setdefault(where[0], {})[where[1]] = written
        elif where[0] in LISTS:
            made.setdefault(where[0], []).append(written)
        else:
            made[where[0]] = written
    return made


def _write_references(made: Schema, names: Mapping[Place, str]) -> None:
    def name_of(reference: str) -> str | None:
        place = _place_of(reference)
        return None if place is None or place not in names else COMPONENTS + names[place]

    if "$ref" in made and (name := name_of(made.pop("$ref"))):
        made["$ref"] = name
    if "discriminator" in made:
        kind = made.pop("discriminator")
        mapping = {value: name_of(reference) for value, reference in kind["mapping"].items()}
        if None not in mapping.values():
            made["discriminator"] = {**kind, "mapping": mapping}


def _idle_references(components: Mapping[str, Schema]) -> Iterator[Schema]:
    """Yield the schemas whose reference leads back to the same value: they say nothing."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> Iterator[Schema]:
        for node in _same_value(components[name]):
            target = node.get("$ref", "").removeprefix(COMPONENTS)
            if target in (*path, name):
                yield node
            elif target in components and target not in done:
                yield from visit(target, (*path, name))
        done.add(name)

    for name in components:
        if name not in done:
            yield from visit(name, ())


def _same_value(node: Any) -> Iterator[Schema]:
    if isinstance(node, dict):
        yield node
        for where, part in _children(node):
            if where[0] in _SAME_VALUE:
                yield from _same_value(part)


def _fits(node: Schema, components: Mapping[str, Schema]) -> bool:
    """Whether a default is surely one that its own schema allows: pydantic does not check that."""
    budget = [MAX_PARTS]

    def inline(part: Any) -> Any:
        budget[0] -= 1
        if budget[0] < 0 or (isinstance(part, dict) and "discriminator" in part):
            raise ValueError("too large to be checked")
        if not isinstance(part, dict):
            return part
        made = {k: v for k, v in part.items() if k not in MAPS | LISTS | ONES}
        if "$ref" in made:
            made["allOf"] = [inline(components[made.pop("$ref").removeprefix(COMPONENTS)])]
        for where, inner in _children(part):
            if where[0] in MAPS:
                made.setdefault(where[0], {})[where[1]] = inline(inner)
            elif where[0] in LISTS:
                made.setdefault(where[0], []).append(inline(inner))
            else:
                made[where[0]] = inline(inner)
        return made

    try:
        check = jsonschema_rs.Draft202012Validator(inline(node), validate_formats=True)
        return check.is_valid(node["default"])
    except ValueError:
        return False


def with_required_apart(schema: Schema) -> Schema:
    """Return a schema that means the same, and requires only properties that it names.

    Some validators refuse `required` beside `allOf` otherwise.
    """
    missing = set(schema.get("required", ())) - set(schema.get("properties", ()))
    if not missing or "allOf" not in schema:
        return schema
    rest = {key: value for key, value in schema.items() if key != "required"}
    return {**rest, "allOf": [*schema["allOf"], {"required": schema["required"]}]}
