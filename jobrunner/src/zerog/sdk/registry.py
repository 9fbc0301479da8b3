"""The job types of this process, by name. Importing a module adds its jobs (`zerog.sdk.importing`).

A type's document is what its worker registers, and the API accepts its jobs by. It is made when the
module has been imported, so that a class that cannot be described is an error of that module.
"""

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from msgspec import UNSET
from pydantic import TypeAdapter

from zerog.model import jsontext
from zerog.model.documents import TypeDocument
from zerog.model.errors import JobDefinitionError
from zerog.model.labels import label_texts
from zerog.sdk.mistakes import first_paragraph
from zerog.sdk.options import Options
from zerog.sdk.parameters import ParametersSchema
from zerog.sdk.signals import Continue, Result
from zerog.sdk.text import clean, cut
from zerog.sdk.values import json_text

if TYPE_CHECKING:
    from zerog.sdk.job import Job

#: A description is for people, a schema for each request.
MAX_DESCRIPTION_CHARS = 10_000
MAX_SCHEMA_BYTES = 512 * 1024


@dataclass(frozen=True)
class JobType:
    """A registered job class."""

    name: str
    cls: "type[Job]"
    options: Options

    @cached_property
    def document(self) -> TypeDocument:
        """What the API needs to know of the type. `JobDefinitionError` if there is no such form."""
        options = self.options
        try:
            return TypeDocument(
                name=self.name,
                queue=options.queue,
                schema=self._schema(),
                description=self._description(),
                priority=options.priority,
                max_errors=options.max_errors,
                max_crashes=options.max_crashes,
                backoff_seconds=options.backoff_seconds,
                backoff_max_seconds=options.backoff_max_seconds,
                timeout_seconds=options.timeout,
                retain_ok_seconds=options.retain_ok_seconds,
                retain_failed_seconds=options.retain_failed_seconds,
                log_output=options.log_output,
                labels=list(label_texts(options.labels)),
                output_schema=output_schema(self.cls.run) or UNSET,
            )
        except Exception as error:  # an author's hooks for schemas may raise anything
            raise JobDefinitionError(
                f"{self.place}: class {self.cls.__name__}: its parameters cannot be described in "
                f"JSON: {first_paragraph(error).splitlines()[0][:1000]}"
            ) from error

    @property
    def place(self) -> str:
        """Where the class is written."""
        try:
            return f"{inspect.getsourcefile(self.cls)}:{inspect.getsourcelines(self.cls)[1]}"
        except (OSError, TypeError):
            return self.cls.__module__

    def _description(self) -> str:
        return cut(clean((self.cls.__doc__ or "").strip()), MAX_DESCRIPTION_CHARS)

    def _schema(self) -> dict[str, Any]:
        with warnings.catch_warnings():
            # A default without a JSON form is left out of the schema; the class knows it.
            warnings.simplefilter("ignore")
            schema = self.cls.model_json_schema(schema_generator=ParametersSchema)
        if "description" in schema:
            schema["description"] = self._description()
        return _plain(schema)


def output_schema(run: Callable[..., object]) -> dict[str, Any] | None:
    """Return the JSON Schema of what `run` is annotated to return; None if that says nothing."""
    try:
        kind = get_type_hints(run, include_extras=True).get("return")
        kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
        data = [each for each in kinds if each not in (Result, Continue)]
        if not data or data[0] in (None, NoneType, Any, object):
            return None
        adapter: TypeAdapter[Any] = TypeAdapter(Union[tuple(data)])  # type: ignore[arg-type]  # noqa: UP007
        return _plain(adapter.json_schema(mode="serialization"))
    except Exception:  # an annotation is for readers: what is none for pydantic says nothing
        return None


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema as what its JSON reads as. `ValueError` if it cannot be registered."""
    text = json_text(schema, "schema")
    if len(text) > MAX_SCHEMA_BYTES:
        raise ValueError(f"the schema has {len(text)} bytes, at most {MAX_SCHEMA_BYTES}")
    plain: dict[str, Any] = jsontext.loads(text)
    if (reference := _foreign_reference(plain)) is not None:
        raise ValueError(
            f"the schema refers to {reference[:200]!r}, outside of it, which is not resolved: put "
            "the definition into the schema's $defs"
        )
    return plain


#: Keywords whose values are no schemas.
_VALUES = frozenset({"const", "default", "enum", "examples"})


def _foreign_reference(node: Any) -> str | None:
    """Return a reference of a schema that leads out of it."""
    if isinstance(node, dict):
        for key in ("$ref", "$dynamicRef", "$recursiveRef"):
            if isinstance(reference := node.get(key), str) and not reference.startswith("#"):
                return reference
        node = [part for key, part in node.items() if key not in _VALUES]
    if isinstance(node, list):
        return next(filter(None, map(_foreign_reference, node)), None)
    return None


@dataclass(slots=True)
class Registry:
    """Job types by name."""

    types: dict[str, JobType] = field(default_factory=dict)

    def add(self, job_type: JobType) -> None:
        """Add a type. `ValueError` if another class has its name."""
        other = self.types.get(job_type.name)
        if other is not None and other.cls is not job_type.cls:
            raise ValueError(
                f"another job called {job_type.name!r} exists, in module "
                f"{other.cls.__module__}: set a name in Options"
            )
        self.types[job_type.name] = job_type


#: The types of this process: importing a module adds its jobs.
REGISTRY = Registry()
