"""What a type's document says, and how modules are found."""

from collections.abc import Callable
from pathlib import Path

import jsonschema_rs
import pytest

from zerog.model import jsontext
from zerog.model.errors import ConfigError
from zerog.sdk.registry import import_jobs

Write = Callable[..., Path]

PLAIN = """
class Plain(zerog.Job):
    '''Do the plain thing.'''
    size: int
    names: list[str] = []
    def run(self, ctx): return self.size
"""


def test_a_plain_job_has_the_documented_defaults(write_module: Write) -> None:
    (job_type,) = import_jobs([str(write_module(PLAIN))])

    document = job_type.to_document()

    schema = document.pop("schema")
    assert document == {
        "name": "Plain",
        "description": "Do the plain thing.",
        "queue": "default",
        "priority": 5,
        "maxErrors": 3,
        "maxCrashes": 3,
        "backoffSeconds": 5.0,
        "backoffMaxSeconds": 600.0,
        "timeoutSeconds": None,
        "retainOkSeconds": 7 * 86400.0,
        "retainFailedSeconds": 30 * 86400.0,
    }
    assert schema["required"] == ["size"]


def test_the_options_reach_the_document(write_module: Write) -> None:
    path = write_module(
        """
        class Special(zerog.Job):
            class Options:
                name = "media.special-1"
                queue = "media"
                priority = 0
                max_errors = 1
                max_crashes = 9
                backoff_seconds = 0
                backoff_max_seconds = 60
                timeout = 1.5
                retain_ok_seconds = 0
                retain_failed_seconds = 10
            def run(self, ctx): return None
        """
    )

    (job_type,) = import_jobs([str(path)])

    document = job_type.to_document()
    assert document["name"] == "media.special-1"
    assert document["queue"] == "media"
    assert document["priority"] == 0
    assert document["maxErrors"] == 1
    assert document["maxCrashes"] == 9
    assert document["backoffSeconds"] == 0
    assert document["backoffMaxSeconds"] == 60
    assert document["timeoutSeconds"] == 1.5
    assert document["retainOkSeconds"] == 0
    assert document["retainFailedSeconds"] == 10


def test_the_document_survives_json(write_module: Write) -> None:
    (job_type,) = import_jobs([str(write_module(PLAIN))])

    document = job_type.to_document()

    assert jsontext.loads(jsontext.dumps(document)) == document


def test_the_schema_is_draft_2020_12_and_refuses_unknown_fields(write_module: Write) -> None:
    (job_type,) = import_jobs([str(write_module(PLAIN))])

    validator = jsonschema_rs.Draft202012Validator(job_type.to_document()["schema"])

    assert validator.is_valid({"size": 1, "names": ["a"]})
    assert not validator.is_valid({"size": 1, "colour": "red"})
    assert not validator.is_valid({"size": "1"})
    assert not validator.is_valid({})


def test_a_job_without_a_docstring_has_an_empty_description(write_module: Write) -> None:
    path = write_module("class Silent(zerog.Job):\n    def run(self, ctx): return None\n")

    (job_type,) = import_jobs([str(path)])

    assert job_type.to_document()["description"] == ""


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
