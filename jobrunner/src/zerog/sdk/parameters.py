"""The parameters of a job instance as JSON: what its own class loads back as an equal instance.

pydantic's own dump is for showing: it masks secrets, leaves out what is excluded, adds computed
fields and uses the names for output. A job that ran with that would run with other parameters.
So the class's schema is rewritten for dumping (`_loadable`), and the dump is loaded again and
compared: what does not survive is an error here, not a surprise in the worker.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, Flag
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import (
    CoreConfig,
    PydanticSerializationError,
    SchemaSerializer,
    core_schema,
    from_json,
)

from zerog.model.documents import UNCHECKED
from zerog.model.errors import InvalidParametersError

if TYPE_CHECKING:
    from zerog.sdk.job import Job

#: Parts of a core schema that hold values of the user, not schemas.
_NOT_SCHEMAS = frozenset({"metadata", "config", "default", "expected", "members", "cls"})
_WITH_FIELDS = frozenset({"model", "dataclass", "typed-dict"})
#: How often classes are seen again, at most.
_CLASSES = 256


def dump_parameters(job: "Job") -> dict[str, Any]:
    """Return the parameters as JSON that the job's class loads as this instance.

    Raises:
        InvalidParametersError: A field does not survive that; the message names it.
    """
    serializer = _serializer(type(job))
    try:
        text = serializer.to_json(job, round_trip=True, warnings=False)
    except (PydanticSerializationError, ValueError, TypeError) as error:
        raise _refused(job, _unwritable(serializer, job), f"has no JSON form ({error})") from error
    try:
        loaded = type(job).model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(map(str, first["loc"])) or _unwritable(serializer, job)
        raise _refused(job, name, f"is not loaded from its JSON ({first['msg']})") from None
    for name in type(job).model_fields:
        if not _same(getattr(job, name), getattr(loaded, name)):
            raise _refused(job, name, "has another value when it is loaded from its JSON")
    return cast(dict[str, Any], json.loads(text))


class ParametersSchema(GenerateJsonSchema):
    """Describes what the class reads, for people and for the API's check.

    Where the class reads more than JSON Schema can say, the schema is marked (`UNCHECKED`). A field
    at a path is described by the name that it begins with; pydantic describes a name that no class
    reads.
    """

    def model_fields_schema(self, schema: core_schema.ModelFieldsSchema) -> JsonSchemaValue:
        """Return the JSON Schema of a class's fields."""
        named, heads = {}, set[str]()
        for name, field in schema["fields"].items():
            choices = _choices(field.get("validation_alias", name))
            if any(len(path) == 1 for path in choices):
                named[name] = field
            else:
                heads.update(str(path[0]) for path in choices)
        made = super().model_fields_schema({**schema, "fields": named})
        for head in sorted(heads):
            made.setdefault("properties", {}).setdefault(head, {"title": head})
        return self._with_other_names(made, [*schema["fields"].values()])

    def dataclass_args_schema(self, schema: core_schema.DataclassArgsSchema) -> JsonSchemaValue:
        """Return the JSON Schema of a data class's fields."""
        return self._with_other_names(super().dataclass_args_schema(schema), schema["fields"])

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        """Return the JSON Schema of a typed dictionary."""
        return self._with_other_names(
            super().typed_dict_schema(schema), [*schema["fields"].values()]
        )

    def named_tuple_schema(self, schema: core_schema.NamedTupleSchema) -> JsonSchemaValue:
        """Return the JSON Schema of a named tuple; the class also reads an object."""
        return {**super().named_tuple_schema(schema), UNCHECKED: ["type"]}

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        """Return the JSON Schema of an enumeration; of flags, any combination."""
        made = super().enum_schema(schema)
        if issubclass(schema["cls"], Flag):
            del made["enum"]
        elif schema["cls"]._missing_.__func__ is not Enum._missing_.__func__:  # type: ignore[attr-defined]
            made[UNCHECKED] = True
        return made

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """Return the JSON Schema of a text, which the class may change before it counts."""
        made, config, unchecked = super().str_schema(schema), self._config, set[str]()
        if any(
            schema.get(name) or getattr(config, f"str_{name}")
            for name in ("strip_whitespace", "to_lower", "to_upper")
        ):
            unchecked |= {"minLength", "maxLength", "pattern"}
        if schema.get("coerce_numbers_to_str") or config.coerce_numbers_to_str:
            unchecked.add("type")
        engine = schema.get("regex_engine") or config.regex_engine
        if engine == "python-re" or not isinstance(schema.get("pattern", ""), str):
            unchecked.add("pattern")
        return {**made, UNCHECKED: sorted(unchecked)} if unchecked else made

    def function_before_schema(
        self, schema: core_schema.BeforeValidatorFunctionSchema
    ) -> JsonSchemaValue:
        """Return the JSON Schema of what a function may change before it is checked."""
        return self._of_function(schema, super().function_before_schema(schema))

    def function_wrap_schema(
        self, schema: core_schema.WrapValidatorFunctionSchema
    ) -> JsonSchemaValue:
        """Return the JSON Schema of what a function may accept in another form."""
        return self._of_function(schema, super().function_wrap_schema(schema))

    @staticmethod
    def _of_function(schema: Mapping[str, Any], made: JsonSchemaValue) -> JsonSchemaValue:
        is_said = "json_schema_input_schema" in schema
        return made if is_said else {**made, UNCHECKED: True}

    def _with_other_names(self, made: JsonSchemaValue, fields: Sequence[Any]) -> JsonSchemaValue:
        by_name = self._config.validate_by_name or self._config.populate_by_name
        aliases = [field["validation_alias"] for field in fields if "validation_alias" in field]
        if any(by_name or len(_choices(alias)) > 1 for alias in aliases):
            made[UNCHECKED] = ["additionalProperties", "required"]
        return made


def _refused(job: "Job", name: str | None, what: str) -> InvalidParametersError:
    subject = f"its field {name!r}" if name else "the whole of it"
    return InvalidParametersError(
        f"this {type(job).__name__} cannot be submitted as an instance: {subject} {what}; "
        "submit it by the name of its type, with its parameters as JSON"
    )


def _unwritable(serializer: SchemaSerializer, job: "Job") -> str | None:
    """Return the field that has no JSON form."""
    for name in type(job).model_fields:
        try:
            from_json(serializer.to_json(job, include={name}, round_trip=True, warnings=False))
        except (PydanticSerializationError, ValueError, TypeError):
            return name
    return None


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal, apart from private attributes; NaN is equal to NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, BaseModel):
        names = [*type(one).model_fields, *(one.model_extra or ())]
        return one.model_extra == other.model_extra and all(
            _same(getattr(one, name), getattr(other, name)) for name in names
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other or (one != one and other != other))


@lru_cache(maxsize=_CLASSES)
def _serializer(cls: "type[Job]") -> SchemaSerializer:
    schema = _loadable(cls.__pydantic_core_schema__)
    config = {key: value for key, value in cls.model_config.items() if key.startswith("ser_json_")}
    # The models inside must not bring the serializers that they were built with.
    return SchemaSerializer(schema, cast(CoreConfig, config), _use_prebuilt=False)


def _loadable(node: Any) -> Any:
    """Return a core schema whose dump can be loaded again."""
    if isinstance(node, list | tuple):
        return type(node)(map(_loadable, node))
    if not isinstance(node, Mapping):
        return node
    if not isinstance(node.get("type"), str):  # schemas by the names of fields, or by tags
        return {name: _loadable(schema) for name, schema in node.items()}
    made = {k: v if k in _NOT_SCHEMAS else _loadable(v) for k, v in node.items()}
    made.pop("serialization_exclude", None)
    written = made.get("serialization", {})
    if written.get("type") == "function-plain":
        written["function"] = partial(_reveal, written["function"])
    if made.get("type") in _WITH_FIELDS and not written:
        inner = {key: value for key, value in made.items() if key != "ref"}
        place = partial(_place, _aliases(made))
        made["serialization"] = {"type": "function-wrap", "function": place, "schema": inner}
    return made


def _reveal(dump: Callable[..., Any], value: Any, *more: Any) -> Any:
    """Return what a secret hides; dump everything else as its author wrote."""
    if hasattr(value, "get_secret_value"):
        return value.get_secret_value()
    return dump(value, *more)


def _aliases(node: Mapping[str, Any]) -> dict[str, list[str | int]]:
    """Return where the fields of a class are in its JSON, those that are not under their name."""
    config = node.get("config", {})
    if config.get("validate_by_alias") is False:
        return {}
    while "schema" in node:
        node = node["schema"]
    fields = node.get("fields", {})
    named = fields.items() if isinstance(fields, Mapping) else [(f["name"], f) for f in fields]
    return {name: _path(field["validation_alias"]) for name, field in named
            if "validation_alias" in field}  # fmt: skip


def _path(alias: Any) -> list[str | int]:
    """Return the alias that the JSON Schema has: the first that is a name, else the first."""
    choices = _choices(alias)
    return next((path for path in choices if len(path) == 1), choices[0])


def _choices(alias: Any) -> list[list[str | int]]:
    if isinstance(alias, str):
        return [[alias]]
    return alias if isinstance(alias[0], list) else [alias]


def _place(aliases: Mapping[str, list[str | int]], value: Any, dump: Callable[[Any], Any]) -> Any:
    """Dump an instance and move its fields to where its class looks for them."""
    dumped = dump(value)
    if not isinstance(dumped, dict) or not aliases:
        return dumped
    made: Any = {name: item for name, item in dumped.items() if name not in aliases}
    for name, path in aliases.items():
        if name in dumped:
            made = _put(made, path, dumped[name])
    return made


def _put(into: Any, path: list[str | int], value: Any) -> Any:
    """Return JSON with the value at the path, and what else it had."""
    if not path:
        return value
    step, *rest = path
    if isinstance(step, str):
        into = into if isinstance(into, dict) else {}
        return {**into, step: _put(into.get(step), rest, value)}
    items = list(into) if isinstance(into, list) else []
    items += [None] * (step + 1 - len(items))
    items[step] = _put(items[step], rest, value)
    return items
