"""What a type's document says, and how modules are found."""

from collections.abc import Callable
from pathlib import Path

import jsonschema_rs
import pytest

from zerog.model import jsontext
from zerog.model.documents import TypeDocument, read, write
from zerog.model.errors import ConfigError
from zerog.sdk.importing import import_jobs
from zerog.sdk.options import Options
from zerog.sdk.registry import MAX_DESCRIPTION_CHARS

Write = Callable[..., Path]

#: In documents each duration has its unit.
IN_DOCUMENT = {"timeout": "timeout_seconds"}
PLAIN = """
class Plain(zerog.Job):
    '''Do the plain thing.'''
    size: int
    names: list[str] = []
    def run(self, ctx): return self.size
"""


def test_a_plain_job_has_the_documented_defaults(write_module: Write) -> None:
    (job_type,) = import_jobs([str(write_module(PLAIN))])

    document = job_type.document

    assert document.schema["required"] == ["size"]
    assert document == TypeDocument(
        name="Plain",
        description="Do the plain thing.",
        schema=document.schema,
        queue="default",
        priority=5,
        max_errors=3,
        max_crashes=3,
        backoff_seconds=5.0,
        backoff_max_seconds=600.0,
        timeout_seconds=None,
        retain_ok_seconds=7 * 86400.0,
        retain_failed_seconds=30 * 86400.0,
    )


def test_the_options_reach_the_document(write_module: Write) -> None:
    path = write_module(
        """
        from datetime import timedelta
        class Special(zerog.Job):
            class Options:
                name = "media.special-1"
                queue = "media"
                priority = 0
                max_errors = 1
                max_crashes = 9
                backoff_seconds = 0
                backoff_max_seconds = timedelta(minutes=1)
                timeout = 1.5
                retain_ok_seconds = 0
                retain_failed_seconds = timedelta(days=3000)
            def run(self, ctx): return None
        """
    )

    (job_type,) = import_jobs([str(path)])

    document = job_type.document
    assert document.name == "media.special-1"
    assert document.queue == "media"
    assert document.priority == 0
    assert document.max_errors == 1
    assert document.max_crashes == 9
    assert document.backoff_seconds == 0
    assert document.backoff_max_seconds == 60
    assert document.timeout_seconds == 1.5
    assert document.retain_ok_seconds == 0
    assert document.retain_failed_seconds == 3000 * 86400


def test_every_option_reaches_the_document(write_module: Write) -> None:
    # A priority is at most 9.
    names = sorted({*Options.__dataclass_fields__} - {"name", "queue"}, key="priority".__ne__)
    others: dict[str, object] = {"log_output": False, "labels": {"team": "a"}}
    given = {name: others.get(name, number) for number, name in enumerate(names, 1)}
    lines = [f"        {name} = {value!r}" for name, value in given.items()]
    text = "class Counted(zerog.Job):\n    def run(self, ctx): pass\n    class Options:\n"

    (job_type,) = import_jobs([str(write_module(text + "\n".join(lines)))])

    document = job_type.document
    given["labels"] = ["team=a"]
    assert given == {name: getattr(document, IN_DOCUMENT.get(name, name)) for name in given}


def test_the_document_survives_json(write_module: Write) -> None:
    (job_type,) = import_jobs([str(write_module(PLAIN))])

    document = write(job_type.document)

    assert jsontext.loads(jsontext.dumps(document)) == document
    assert read(document, TypeDocument) == job_type.document


def test_a_long_docstring_is_cut(write_module: Write) -> None:
    path = write_module(
        """
        class Wordy(zerog.Job):
            __doc__ = "x" * 20_000_000
            def run(self, ctx): return None
        """
    )

    (job_type,) = import_jobs([str(path)])

    assert job_type.document.description.startswith("xxx")
    assert len(job_type.document.description) < MAX_DESCRIPTION_CHARS + 100
    assert len(jsontext.dumps(write(job_type.document))) < 30_000


def test_the_schema_is_draft_2020_12_and_refuses_unknown_fields(write_module: Write) -> None:
    (job_type,) = import_jobs([str(write_module(PLAIN))])

    validator = jsonschema_rs.Draft202012Validator(job_type.document.schema)

    assert validator.is_valid({"size": 1, "names": ["a"]})
    assert not validator.is_valid({"size": 1, "colour": "red"})
    assert not validator.is_valid({"size": "1"})
    assert not validator.is_valid({})


def test_a_job_without_a_docstring_has_an_empty_description(write_module: Write) -> None:
    path = write_module("class Silent(zerog.Job):\n    def run(self, ctx): return None\n")

    (job_type,) = import_jobs([str(path)])

    assert job_type.document.description == ""


def test_a_module_is_found_by_name(
    write_module: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_module(PLAIN)
    monkeypatch.chdir(tmp_path)

    assert [job_type.name for job_type in import_jobs(["jobs_under_test"])] == ["Plain"]


def test_types_are_sorted_by_name(write_module: Write) -> None:
    body = "    def run(self, ctx): return None\n"
    path = write_module(f"class B(zerog.Job):\n{body}class A(zerog.Job):\n{body}")

    assert [job_type.name for job_type in import_jobs([str(path)])] == ["A", "B"]


def test_no_module_at_all_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="name a module"):
        import_jobs([])


def test_a_module_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigError, match="jobs_under_test_nowhere"):
        import_jobs(["jobs_under_test_nowhere"])


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"jobs_under_test_nowhere\.py"):
        import_jobs([str(tmp_path / "jobs_under_test_nowhere.py")])


def test_a_modules_own_error_is_the_cause(write_module: Write) -> None:
    path = write_module("raise RuntimeError('no licence file')\n")

    with pytest.raises(ConfigError, match="RuntimeError: no licence file") as refused:
        import_jobs([str(path)])
    assert isinstance(refused.value.__cause__, RuntimeError)


def test_a_syntax_error_is_a_config_error(write_module: Write) -> None:
    with pytest.raises(ConfigError, match="SyntaxError"):
        import_jobs([str(write_module("def broken(:\n"))])


def test_a_module_without_a_job_is_refused(write_module: Write) -> None:
    with pytest.raises(ConfigError, match=r"no class derives from zerog\.Job"):
        import_jobs([str(write_module("x = 1\n"))])


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("size: float = float('inf')", "schema['properties']['size']['default']"),
        ("size: float = float('nan')", "NaN is not a JSON number"),
        ("name: str = '\\udcff'", "a text with a lone surrogate"),
        ("call: Callable[[], int]", "PydanticInvalidForJsonSchema"),
        ("other: object = object()\n    thing: Thing", "PydanticInvalidForJsonSchema"),
        ("later: 'Nowhere'", "Nowhere"),
    ],
)
def test_a_class_that_cannot_be_described_is_named_with_its_place(
    write_module: Write, field: str, said: str
) -> None:
    path = write_module(
        "from collections.abc import Callable\nclass Thing: pass\n"
        "class Odd(zerog.Job):\n    model_config = {'arbitrary_types_allowed': True}\n"
        f"    {field}\n    def run(self, ctx): return None\n"
    )

    with pytest.raises(ConfigError) as refused:
        import_jobs([str(path)])
    assert str(refused.value).startswith(f"{path}:4: class Odd: ")
    assert said in str(refused.value)


def test_a_generic_job_has_a_usable_name(write_module: Write) -> None:
    path = write_module(
        "from typing import Generic, TypeVar\nT = TypeVar('T')\n"
        "class Base(zerog.Job, Generic[T]):\n    __abstract__ = True\n    value: T\n"
        "    def run(self, ctx): return None\n"
        "class Plain(zerog.Job, Generic[T]):\n    value: T\n"
        "    def run(self, ctx): return None\n"
        "Plain[list[int]]\n"
        "class Named(Base[int]): pass\n"
    )

    names = [job_type.name for job_type in import_jobs([str(path)])]

    assert names == ["Named", "Plain", "Plain.list.int"]


def test_options_are_inherited_but_for_the_name(write_module: Write) -> None:
    path = write_module(
        """
        class Base(zerog.Job):
            __abstract__ = True
            class Options:
                name = "base"
                queue = "media"
                max_errors = 7
        class One(Base):
            class Options: max_errors = 1
            def run(self, ctx): return None
        class Two(Base):
            class Options(Base.Options): name = "second"
            def run(self, ctx): return None
        """
    )

    one, two = (job_type.options for job_type in import_jobs([str(path)]))

    assert (one.name, one.queue, one.max_errors) == ("One", "media", 1)
    assert (two.name, two.queue, two.max_errors) == ("second", "media", 7)


def test_a_parameter_may_be_called_like_an_attribute_of_the_context(write_module: Write) -> None:
    path = write_module(
        """
        class Free(zerog.Job):
            state: str
            uuid: str
            error: int
            attempt: int = 1
            def run(self, ctx): return self.state
        """
    )

    (job_type,) = import_jobs([str(path)])

    assert job_type.document.schema["required"] == ["state", "uuid", "error"]
