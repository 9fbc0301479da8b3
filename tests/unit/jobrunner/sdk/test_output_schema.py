"""What a type's document says of its output, and which schemas are refused."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, WithJsonSchema, create_model

import zerog
from zerog.model.errors import JobDefinitionError
from zerog.sdk.options import Options
from zerog.sdk.registry import JobType, output_schema


class Undescribed(zerog.Job):
    def run(self, ctx: zerog.Context) -> None: ...


class Bill(BaseModel):
    total: Annotated[int, Field(ge=0)]


def says_nothing(self: Any, ctx: Any):  # type: ignore[no-untyped-def]
    ...


def bill(self: Any, ctx: Any) -> Bill: ...  # type: ignore[empty-body]
def maybe(self: Any, ctx: Any) -> "Bill | zerog.Continue": ...  # type: ignore[empty-body]
def numbers(self: Any, ctx: Any) -> list[int]: ...  # type: ignore[empty-body]
def anything(self: Any, ctx: Any) -> Any: ...
def nothing(self: Any, ctx: Any) -> None: ...
def signal(self: Any, ctx: Any) -> zerog.Result: ...  # type: ignore[empty-body]
def no_type(self: Any, ctx: Any) -> 5: ...  # type: ignore[valid-type]
def unknown(self: Any, ctx: Any) -> "NotThere": ...  # type: ignore[name-defined]  # noqa: F821
async def later(self: Any, ctx: Any) -> list[int]: ...  # type: ignore[empty-body]


@pytest.mark.parametrize("run", [bill, maybe])
def test_a_model_that_run_returns_is_described(run: Callable[..., Any]) -> None:
    schema = output_schema(run)

    assert schema is not None
    assert schema["properties"]["total"]["minimum"] == 0


@pytest.mark.parametrize("run", [numbers, later])
def test_any_type_that_pydantic_knows_is_described(run: Callable[..., Any]) -> None:
    assert output_schema(run) == {"type": "array", "items": {"type": "integer"}}


@pytest.mark.parametrize("run", [says_nothing, anything, nothing, signal, no_type, unknown])
def test_an_annotation_that_says_nothing_describes_nothing(run: Callable[..., Any]) -> None:
    assert output_schema(run) is None


@pytest.mark.parametrize("reference", ["http://example.com/s.json", "file:///etc/passwd", "other"])
def test_a_schema_that_refers_to_elsewhere_is_refused(reference: str) -> None:
    kind = Annotated[int, WithJsonSchema({"anyOf": [{"$ref": reference}]})]
    # A name that no other of these classes has.
    odd: type[Undescribed] = create_model(
        f"OddOutput{len(reference)}", __base__=Undescribed, field=(kind, ...)
    )

    # pydantic itself refuses what is no address.
    with pytest.raises(JobDefinitionError, match=r"outside of it, which is not resolved|KeyError"):
        _ = JobType("Odd", odd, Options("Odd")).document


def test_a_value_that_looks_like_a_reference_is_none() -> None:
    class FineOutput(zerog.Job):
        field: dict[str, str] = {"$ref": "http://example.com"}

        def run(self, ctx: zerog.Context) -> list[int]: ...  # type: ignore[empty-body]

    document = JobType("FineOutput", FineOutput, Options("FineOutput")).document

    assert document.output_schema == {"type": "array", "items": {"type": "integer"}}
