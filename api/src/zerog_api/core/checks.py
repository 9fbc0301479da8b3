"""What the API checks of a registered JSON Schema: never more than the job's class checks.

The class has the last word, in the worker. So this keeps an allow-list: keywords that mean in
JSON Schema what they mean in pydantic. Everything else is left to the class: other formats,
patterns that two regular expression engines may read differently, references to other documents,
and what the schema's author marks (`UNCHECKED`).

The time of a check is bounded, too. A schema that would look at one value too often, or that is
too large or too deep, is not checked where it is.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import jsonschema_rs
from pydantic import TypeAdapter, ValidationError

from zerog.model.documents import UNCHECKED

#: Larger schemas are left to the class: compiling one holds the interpreter.
MAX_NODES = 5_000
#: Schemas within schemas; deeper ones are not looked at.
MAX_DEPTH = 64
#: How often a check may look at one value, at most.
MAX_VISITS = 100
MAX_PATTERN_CHARS = 200
#: Of one schema. Each takes some tenths of a millisecond to compile.
MAX_PATTERNS = 100
#: The bytes that a compiled pattern may take; the time of a match grows with it.
_PATTERNS = jsonschema_rs.RegexOptions(size_limit=64 * 1024, dfa_size_limit=256 * 1024)

_DEFINITION = re.compile(r"#/\$defs/[^/]+")
#: No classes of characters by name, no flags, no look-around: all engines agree on what is left.
_SAFE_PATTERN = re.compile(
    r"(?:[A-Za-z0-9 _@%=,;:'\"/<>!#.^$|)+*?-]|\((?:\?:|(?!\?))|\\[.+*?^$(){}|/\\[\]-]"
    r"|\{\d{1,4}(?:,\d{0,4})?\}|\[\^?(?:[A-Za-z0-9_.,:;@%+/ ]|\\[.+*?^$(){}|/\\[\]-]"
    r"|[A-Za-z0-9]-[A-Za-z0-9]|-(?=\]))+\])*"
)
_AS_THEY_ARE = frozenset({
    "const", "enum", "exclusiveMaximum", "exclusiveMinimum", "maximum", "maxItems", "maxLength",
    "maxProperties", "minimum", "minItems", "minLength", "minProperties", "required", "type",
})  # fmt: skip
#: Keywords with other schemas for the same value.
_BRANCHES = frozenset({"allOf", "anyOf", "oneOf"})
_TIMES: dict[str, Any] = {
    "date": date, "date-time": datetime, "duration": timedelta, "time": time,
}  # fmt: skip
_UUIDS = ("uuid", *(f"uuid{version}" for version in range(1, 9)))
#: Formats of texts; a value of another format may have another type, e.g. a number.
_TEXTS = frozenset({
    "base64", "base64url", "binary", "directory-path", "email", "file-path", "json-string",
    "name-email", "password", "path", "regex", "uri", *_UUIDS,
})  # fmt: skip
#: What the class reads instead of a number or a truth value: type: (other types, texts)
_READ: dict[str, tuple[list[str], str]] = {
    "integer": (["boolean", "string"], r"^\s*[+-]?[0-9][0-9_]*(\.0*)?\s*$"),
    "number": (["boolean", "string"], r"^\s*[+-]?([0-9_.]+([eE][+-]?[0-9]+)?|[a-zA-Z]{3,8})\s*$"),
    "boolean": (
        ["number", "string"],
        "^([01]|[oO][nN]|[oO][fF][fF]|[tT]([rR][uU][eE])?|[fF]([aA][lL][sS][eE])?"
        "|[yY]([eE][sS])?|[nN][oO]?)$",
    ),
}


class ParameterCheck:
    """A compiled schema.

    Raises:
        ValueError, TypeError, RecursionError: The class alone can check its parameters.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        checked = _Reader(lax=False).read(schema)
        self._max_depth = _max_depth(checked)
        if self._max_depth < 0:
            raise ValueError("a check would look at one value too often")
        self._described = _compile(checked)
        #: Whether nothing is wrong, or the class must find it. A plain call: each POST makes it.
        self.accepts: Callable[[Any], bool] = (
            self._described.is_valid if self._max_depth == math.inf else self._accepts_within
        )
        #: Also takes what the class makes a number or truth value of: looked at for faults only.
        self._lax = _compile(_Reader(lax=True).read(schema))

    def _accepts_within(self, value: Any) -> bool:
        return not _is_within(value, self._max_depth) or self._described.is_valid(value)

    def errors(self, value: Any) -> Iterator[Any]:
        """Find what the class would refuse, as errors of jsonschema_rs."""
        if self.accepts(value):
            return
        places = {tuple(error.instance_path) for error in self._lax.iter_errors(value)}
        for error in self._described.iter_errors(value) if places else ():
            if tuple(error.instance_path) in places:
                yield error

    def first_error(self, value: Any) -> Any | None:
        """Find one of `errors`, None if there is none: quick however many there are."""
        refused = None if self.accepts(value) else _first_error(self._lax, value)
        if refused is None:
            return None
        told = _first_error(self._described, value)
        return told if told and told.instance_path == refused.instance_path else refused


def _first_error(validator: Any, value: Any) -> Any | None:
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return error
    return None


class _Reader:
    """Reads a schema, and makes the one to check."""

    def __init__(self, *, lax: bool) -> None:
        self._lax = lax
        self._nodes = 0
        self._patterns = 0

    def read(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the root with its definitions."""
        root = self._node(schema, MAX_DEPTH)
        made: dict[str, Any] = root if isinstance(root, dict) else {}
        definitions = schema.get("$defs")
        if isinstance(definitions, Mapping):
            made["$defs"] = {
                name: self._node(node, MAX_DEPTH) for name, node in definitions.items()
            }
        return _without_dead_references(made)

    def _node(self, schema: Any, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ValueError(f"its schema has more than {MAX_NODES} parts")
        if not isinstance(schema, Mapping):
            return schema
        unchecked = schema.get(UNCHECKED, ())
        if depth == 0 or unchecked is True:
            return {}
        schema = {key: value for key, value in schema.items() if key not in unchecked}
        made = {key: value for key, value in schema.items() if key in _AS_THEY_ARE}
        self._mend_values(schema, made)
        if _is_definition(schema.get("$ref")):
            made["$ref"] = schema["$ref"]
        self._read_parts(schema, made, partial(self._node, depth=depth - 1))
        return made

    def _read_parts(
        self, schema: Mapping[str, Any], made: dict[str, Any], read: Callable[[Any], Any]
    ) -> None:
        if isinstance(schema.get("properties"), Mapping):
            made["properties"] = {name: read(each) for name, each in schema["properties"].items()}
        if isinstance(schema.get("prefixItems"), list):
            made["prefixItems"] = [read(each) for each in schema["prefixItems"]]
        if "items" in schema:
            made["items"] = read(schema["items"])
        if "additionalProperties" in schema and "patternProperties" not in schema:
            made["additionalProperties"] = read(schema["additionalProperties"])
        branches = [key for key in schema if key in _BRANCHES and isinstance(schema[key], list)]
        if branches:
            # What is not checked may fit twice, so that "one of" would find a fault that is none.
            made["allOf"] = [
                {"allOf" if key == "allOf" else "anyOf": [read(each) for each in schema[key]]}
                for key in branches
            ]

    def _mend_values(self, schema: Mapping[str, Any], made: dict[str, Any]) -> None:
        """Leave out what does not mean the same to the class."""
        form = schema.get("format")
        if form is not None or any(key.startswith("content") for key in schema):
            made.pop("minLength", None)  # of the text, not of what the class makes of it
            made.pop("maxLength", None)
        if made.get("type") == "string" and form is not None:
            if form in _FORMATS:
                made["format"] = form
            if form in _TIMES:
                made["type"] = ["string", "number"]
            elif form not in _TEXTS:
                del made["type"]
        if schema.get("uniqueItems"):
            made.pop("maxItems", None)  # a set may get an item twice
        if self._patterns < MAX_PATTERNS and _is_safe(schema.get("pattern")):
            self._patterns += 1
            made["pattern"] = schema["pattern"]
        multiple = schema.get("multipleOf")
        if isinstance(multiple, int) and schema.get("type") == "integer":
            made["multipleOf"] = multiple
        if self._lax and isinstance(made.get("type"), str) and made["type"] in _READ:
            others, texts = _READ[made["type"]]
            made["type"], made["pattern"] = [made["type"], *others], texts
            if "enum" in made:
                made["anyOf"] = [{"enum": made.pop("enum")}, {"type": others}]


def _compile(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        dict(schema), formats=_FORMATS, validate_formats=True, pattern_options=_PATTERNS,
        offline=True,
    )  # fmt: skip


def _is_definition(reference: Any) -> bool:
    """Whether it is a reference within the schema; nothing else is ever looked up."""
    return reference == "#" or bool(isinstance(reference, str) and _DEFINITION.fullmatch(reference))


def _without_dead_references(schema: dict[str, Any]) -> dict[str, Any]:
    for node in _nodes(schema):
        if "$ref" in node and _target(schema, node["$ref"]) is None:
            del node["$ref"]
    return schema


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for part in [
            *_same_value(schema),
            *_inner_values(schema),
            *schema.get("$defs", {}).values(),
        ]:
            yield from _nodes(part)


def _target(root: Mapping[str, Any], reference: str) -> Any:
    if reference == "#":
        return root
    name = reference.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
    return root.get("$defs", {}).get(name)


def _same_value(node: Mapping[str, Any]) -> list[Any]:
    return [part for key in ("allOf", "anyOf") for part in node.get(key, ())]


def _inner_values(node: Mapping[str, Any]) -> list[Any]:
    inner = [*node.get("properties", {}).values(), *node.get("prefixItems", ())]
    return inner + [node[key] for key in ("items", "additionalProperties") if key in node]


def _is_safe(pattern: Any) -> bool:
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN_CHARS:
        return False
    if not _SAFE_PATTERN.fullmatch(pattern):
        return False
    try:
        _compile({"pattern": pattern})
    except ValueError:
        return False
    return True


def _max_depth(root: Mapping[str, Any]) -> float:
    """Return how deep a value may be nested, so that no part is looked at too often.

    Infinite if the schema itself ends; -1 if no value can be checked.
    """
    known: dict[tuple[int, int], float] = {}

    def visits(node: Any, depth: int) -> float:
        """How often a value so deep within the node's is looked at, at most."""
        if not isinstance(node, dict):
            return 1 if depth == 0 else 0
        key = (id(node), depth)
        if key not in known:
            known[key] = math.inf  # a reference to itself, if it is asked for now
            same = _same_value(node)
            if "$ref" in node:
                same.append(_target(root, node["$ref"]))
            found = sum(visits(part, depth) for part in same)
            if depth > 0:
                found += max((visits(part, depth - 1) for part in _inner_values(node)), default=0)
            else:
                found += 1 + len(node.get("enum", ())) // 20
            known[key] = found
        return known[key]

    for depth in range(MAX_DEPTH):
        found = visits(root, depth)
        if found == 0:
            return math.inf
        if found > MAX_VISITS:
            return depth - 1
    return MAX_DEPTH


def _is_within(value: Any, depth: float) -> bool:
    """Whether a value is nested no deeper than that."""
    level = [value]
    while level and depth >= 0:
        inner = [
            v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)
        ]
        level = [item for items in inner for item in items]
        depth -= 1
    return not level


def _reads(adapter: TypeAdapter[Any], text: str) -> bool:
    """Whether pydantic reads a text. Texts of numbers are left to the class: it may have units."""
    try:
        adapter.validate_python(text)
    except ValidationError:
        try:
            float(text)
        except ValueError:
            return False
    return True


_FORMATS: dict[str, Callable[..., bool]] = {
    **{name: partial(_reads, TypeAdapter(kind)) for name, kind in _TIMES.items()},
    **dict.fromkeys(_UUIDS, partial(_reads, TypeAdapter(UUID))),
}
