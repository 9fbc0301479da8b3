"""Parameters mean in `run` what they mean in JSON."""

from pathlib import Path
from typing import Any

import pytest

from zerog.model.events import Invalid

from .running import Attempt, job, nursery_of, write_jobs

IMPORTS = """
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any
from uuid import UUID
from pydantic import Field, Json, SecretStr, field_validator
class Colour(Enum):
    RED = "red"
"""
CASES: dict[str, tuple[str, Any, Any]] = {
    "Datetime": ("v: datetime = Field(strict=True)", "2026-01-01T00:00:00Z", "datetime"),
    "Date": ("v: date = Field(strict=True)", "2026-01-01", "date"),
    "Time": ("v: time = Field(strict=True)", "07:30:00", "time"),
    "Duration": ("v: timedelta = Field(strict=True)", "PT0.5S", "timedelta"),
    "Uuid": ("v: UUID = Field(strict=True)", "0190a6f1-5f5e-7000-8000-000000000000", "UUID"),
    "Enumeration": ("v: Colour = Field(strict=True)", "red", "Colour"),
    "Tuple": ("v: tuple[int, int] = Field(strict=True)", [1, 2], "tuple"),
    "Either": ("v: datetime | str", "2026-01-01T00:00:00Z", "datetime"),
    "Keys": ("v: dict[tuple[int, int], int]", {"1,2": 3}, "dict"),
    "Secret": ("v: SecretStr", "x", "SecretStr"),
    "Nested": ("v: Json[list[int]]", "[1]", "list"),
    "Large": ("v: int", 2**200, "int"),
    "Deep": ("v: Any", [[[[[1]]]]], "list"),
}
EXITING = """
class Exiting(zerog.Job):
    v: int
    @field_validator("v")
    def check(cls, v):
        sys.exit(3)
    def run(self, ctx): return 1
"""


@pytest.fixture
def jobs(tmp_path: Path) -> str:
    body = "return type(self.v).__name__"
    text = "".join(job(body, name, field) for name, (field, _, _) in CASES.items())
    return write_jobs(tmp_path, IMPORTS + text + EXITING)


async def test_each_type_is_what_json_mode_makes_of_it(jobs: str) -> None:
    async with nursery_of(jobs) as nursery:
        child = await nursery.fork()

        got = {}
        for name, (_, value, _) in CASES.items():
            attempt = await Attempt(child, name, parameters={"v": value}).over()
            got[name] = attempt.data if not isinstance(attempt.end, Invalid) else attempt.end

        expected = {name: kind for name, (_, _, kind) in CASES.items()}
        # pydantic's JSON mode has no form for such keys, whichever way they are written.
        assert isinstance(got.pop("Keys"), Invalid | str)
        del expected["Keys"]
        assert got == expected


async def test_a_validator_that_exits_makes_the_parameters_invalid(jobs: str) -> None:
    async with nursery_of(jobs) as nursery:
        child = await nursery.fork()

        attempt = await Attempt(child, "Exiting", parameters={"v": 1}).over()

        assert attempt.end == Invalid(1, "the parameters do not fit: SystemExit: 3")
