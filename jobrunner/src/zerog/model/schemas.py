"""The JSON Schemas of a type's parameters compared: whether two are the same version of the type,
and whether a newer one takes whatever an older one took. Pure.

What only people read (titles, descriptions, examples) makes no other version. The comparison knows
the schemas of job classes: an object's fields, which are there or not, each with a schema of its
own. It says yes only if that is certain; everything else is left to whoever has the parameters, as
are schemas that are none: whoever registers a type wrote them.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

#: Hexadecimal digits of a schema's hash: enough to tell a type's versions apart.
SCHEMA_HASH_DIGITS = 16
#: Keywords for people.
_ANNOTATIONS = frozenset({"title", "description", "examples", "deprecated", "$comment"})
#: Keywords whose values are no schemas.
_VALUES = frozenset({"const", "default", "enum"})
#: Keywords whose values are schemas by name.
_NAMED = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
#: Keywords of an object that may differ between schemas that are compared.
_COMPARED = frozenset({"properties", "required", "$defs"})


def schema_hash(schema: Mapping[str, Any]) -> str:
    """Return what tells a schema from others: the beginning of the SHA-256, in hexadecimal digits,
    of the canonical JSON of what counts in it. That is UTF-8 with sorted keys and no spaces, so
    that the order in which a class or a store gives the keys does not count.
    """
    text = json.dumps(plain(schema), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:SCHEMA_HASH_DIGITS]


def plain(schema: Any) -> Any:
    """Return a schema without what only people read."""
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {key: _part(key, value) for key, value in schema.items() if key not in _ANNOTATIONS}


def _part(key: str, value: Any) -> Any:
    if key in _VALUES:
        return value
    if key in _NAMED and isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return plain(value)


def takes_all(newer: Mapping[str, Any], older: Mapping[str, Any]) -> bool:
    """Whether the newer schema certainly takes all parameters that the older one takes, and means
    the same by them: fields were added that need not be there, or became optional.
    """
    try:
        return _takes_all(plain(newer), plain(older))
    except RecursionError:  # nested too deeply to be compared
        return False


def _takes_all(new: dict[str, Any], old: dict[str, Any]) -> bool:
    if new == old:
        return True
    if not (_is_comparable(new) and _is_comparable(old)):
        return False
    if any(new.get(key) != old.get(key) for key in (new.keys() | old.keys()) - _COMPARED):
        return False
    fields, known = new.get("properties", {}), old.get("properties", {})
    # Where the older one took fields by any name, one may have the name of a new field.
    is_closed = old.get("additionalProperties") is False or fields.keys() <= known.keys()
    return (
        is_closed
        and set(new.get("required", ())) <= set(old.get("required", ()))
        and _has_all(fields, known)
        and _has_all(new.get("$defs", {}), old.get("$defs", {}))
    )


def _is_comparable(schema: Mapping[str, Any]) -> bool:
    """Whether what is compared of a schema is what JSON Schema says it is."""
    required = schema.get("required", [])
    return (
        all(isinstance(schema.get(key, {}), Mapping) for key in ("properties", "$defs"))
        and isinstance(required, list)
        and all(isinstance(name, str) for name in required)
    )


def _has_all(parts: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(name in parts and parts[name] == part for name, part in wanted.items())
