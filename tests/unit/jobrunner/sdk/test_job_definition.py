"""What is wrong with a job class is said when its module is imported, with file and line."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from zerog.model.errors import ConfigError
from zerog.sdk.importing import import_jobs
from zerog.sdk.registry import REGISTRY

Write = Callable[..., Path]


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        import_jobs([str(path)])
    return str(refused.value)


RUN = "def run(self, ctx): return None"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("x: int", "it has no run"),
        (
            f"def __init__(self, name): self.name = name\n    {RUN}",
            "write the parameters as fields",
        ),
        ("def run(self): return None", "has the wrong parameters"),
        ("def run(self, ctx, more): return None", "has the wrong parameters"),
        ("def run(self, ctx, more=1): return None", "has the wrong parameters"),
        ("def run(self, *ctx): return None", "has the wrong parameters"),
        ("def run(self, *, ctx): return None", "has the wrong parameters"),
        ("async def run(self): return None", "has the wrong parameters"),
        ("@staticmethod\n    def run(ctx, x): return None", "not a plain method"),
        ("@classmethod\n    def run(cls, ctx): return None", "not a plain method"),
        ("def run(self, ctx): yield 1", "yields"),
        ("async def run(self, ctx): yield 1", "yields"),
        (f"class Options: quue = 'x'\n    {RUN}", "no option 'quue'"),
        (f"class Options: queue = 3\n    {RUN}", "option queue"),
        (f"class Options: queue = 'Not A Queue'\n    {RUN}", "cannot be a queue's name"),
        (f"class Options: priority = 10\n    {RUN}", "option priority"),
        (f"class Options: priority = -1\n    {RUN}", "option priority"),
        (f"class Options: priority = True\n    {RUN}", "option priority"),
        (f"class Options: priority = 1.5\n    {RUN}", "option priority"),
        (f"class Options: max_errors = 0\n    {RUN}", "option max_errors"),
        (f"class Options: max_crashes = '3'\n    {RUN}", "option max_crashes"),
        (f"class Options: backoff_seconds = -1\n    {RUN}", "option backoff_seconds"),
        (f"class Options: backoff_seconds = None\n    {RUN}", "option backoff_seconds"),
        (f"class Options: backoff_max_seconds = float('nan')\n    {RUN}", "backoff_max_seconds"),
        (f"class Options: retain_ok_seconds = float('inf')\n    {RUN}", "retain_ok_seconds"),
        (f"class Options: retain_failed_seconds = -1\n    {RUN}", "retain_failed_seconds"),
        (f"class Options: timeout = 0\n    {RUN}", "option timeout"),
        (f"class Options: timeout = -1.5\n    {RUN}", "option timeout"),
        (f"class Options: timeout = 'ten'\n    {RUN}", "option timeout"),
        (f"class Options: timeout = float('nan')\n    {RUN}", "option timeout"),
        (f"class Options: timeout = float('inf')\n    {RUN}", "option timeout"),
        (f"class Options: name = 'has space'\n    {RUN}", "type's name"),
        (f"class Options: name = '1st'\n    {RUN}", "type's name"),
        (f"class Options: name = 'Größe'\n    {RUN}", "type's name"),
        (f"class Options: name = 'a/b'\n    {RUN}", "type's name"),
        (f"class Options: name = 'x\\n'\n    {RUN}", "type's name"),
        (f"class Options: name = ''\n    {RUN}", "type's name"),
        (f"class Options: name = 'a' * 101\n    {RUN}", "type's name"),
    ],
)
def test_an_authors_mistake_is_told_with_file_line_and_class(
    write_module: Write, body: str, said: str
) -> None:
    path = write_module(f"\n\nclass Wrong(zerog.Job):\n    {body}\n")

    message = refusal(path)

    assert re.match(re.escape(str(path)) + r":[24]: class Wrong: ", message)
    assert said in message


def test_all_wrong_options_are_told_at_once(write_module: Write) -> None:
    path = write_module(
        f"""
        class Wrong(zerog.Job):
            class Options:
                priority = 11
                max_errors = 0
                colour = "red"
            {RUN}
        """
    )

    message = refusal(path)

    assert all(word in message for word in ("priority", "max_errors", "colour"))


def test_the_line_is_that_of_the_wrong_class_among_others(write_module: Write) -> None:
    path = write_module(
        f"""
        class Right(zerog.Job):
            {RUN}


        class Wrong(zerog.Job):
            def run(self): return None


        class AlsoRight(zerog.Job):
            {RUN}
        """
    )

    assert refusal(path).startswith(f"{path}:6: class Wrong: ")


def test_two_jobs_of_one_name_are_refused(write_module: Write) -> None:
    path = write_module(
        f"""
        class One(zerog.Job):
            class Options: name = "same"
            {RUN}
        class Two(zerog.Job):
            class Options: name = "same"
            {RUN}
        """
    )

    message = refusal(path)

    assert "class Two" in message
    assert "another job called 'same' exists" in message


def test_two_modules_cannot_have_jobs_of_one_name(write_module: Write) -> None:
    first = write_module(f"class Twin(zerog.Job):\n    {RUN}\n", "jobs_under_test_1")
    second = write_module(f"class Twin(zerog.Job):\n    {RUN}\n", "jobs_under_test_2")

    with pytest.raises(ConfigError, match="in module jobs_under_test_1"):
        import_jobs([str(first), str(second)])


def test_importing_a_module_again_is_no_conflict(write_module: Write) -> None:
    path = write_module(f"class Again(zerog.Job):\n    {RUN}\n")

    import_jobs([str(path)])

    assert [job_type.name for job_type in import_jobs([str(path)])] == ["Again"]


def test_an_abstract_base_is_no_job_and_needs_no_run(write_module: Write) -> None:
    path = write_module(
        f"""
        class Base(zerog.Job):
            __abstract__ = True
            size: int = 1
        class Real(Base):
            {RUN}
        """
    )

    assert [job_type.name for job_type in import_jobs([str(path)])] == ["Real"]
    assert list(REGISTRY.types["Real"].cls.model_fields) == ["size"]


def test_future_annotations_change_nothing(write_module: Write, tmp_path: Path) -> None:
    path = tmp_path / "jobs_under_test.py"
    path.write_text(
        "from __future__ import annotations\nimport zerog\n"
        "class Lazy(zerog.Job):\n    size: int\n"
        "    def run(self, ctx: zerog.Context) -> int: return self.size\n"
    )

    (job_type,) = import_jobs([str(path)])

    assert job_type.document.schema["properties"]["size"]["type"] == "integer"
