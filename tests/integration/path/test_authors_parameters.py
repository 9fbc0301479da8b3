"""Parameters mean one thing from the client to `run`."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretBytes, SecretStr

from zerog.model.errors import InvalidParametersError
from zerog.sdk.registry import REGISTRY

from .conftest import DEADLINE_SECONDS, System, running_system

pytestmark = pytest.mark.timeout(600)

JOBS = Path(__file__).with_name("jobs_with_parameters.py")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_system(System(tmp_path_factory.mktemp("parameters"))) as made:
        made.start_worker(jobs=JOBS)
        yield made


@pytest.fixture(scope="module")
def jobs() -> Iterator[Any]:
    """The module of jobs, as a service imports it."""
    known = dict(REGISTRY.types)
    from tests.integration.path import jobs_with_parameters

    yield jobs_with_parameters
    REGISTRY.types = known


UUID_TEXT = "0190a6f1-5f5e-7000-8000-000000000000"
NOON = "datetime.datetime(2026, 1, 1, 12, 0{})"
UTC = ", tzinfo=TzInfo(0)"
#: A type, a value as it is POSTed, and what `run` has.
VALUES: list[tuple[str, Any, str]] = [
    ("StrictDatetime", "2026-01-01T12:00:00Z", NOON.format(UTC)),
    ("StrictDatetime", "2026-01-01T12:00:00", NOON.format("")),
    ("StrictDate", "2026-01-01", "datetime.date(2026, 1, 1)"),
    ("StrictTime", "07:30:00", "datetime.time(7, 30)"),
    ("StrictDuration", "PT0.5S", "datetime.timedelta(microseconds=500000)"),
    ("StrictUuid", UUID_TEXT, f"UUID('{UUID_TEXT}')"),
    ("StrictEnum", "red", "<Color.RED: 'red'>"),
    ("StrictTuple", [1, "2026-01-01"], "(1, datetime.date(2026, 1, 1))"),
    ("StrictSet", [1, 1], "{1}"),
    ("Datetime", "2026-01-01T12:00:00", NOON.format("")),
    ("Datetime", "2026-01-01 12:00", NOON.format("")),
    ("Datetime", 1767268800, NOON.format(UTC)),
    ("Date", "2026-01-01T00:00:00", "datetime.date(2026, 1, 1)"),
    ("Time", "07:30:00", "datetime.time(7, 30)"),
    ("Time", "07:30", "datetime.time(7, 30)"),
    ("Duration", "-PT1H", "datetime.timedelta(days=-1, seconds=82800)"),
    ("Duration", "1 day, 00:00:01", "datetime.timedelta(days=1, seconds=1)"),
    ("Duration", 3.5, "datetime.timedelta(seconds=3, microseconds=500000)"),
    ("Uuid", UUID_TEXT.replace("-", ""), f"UUID('{UUID_TEXT}')"),
    ("Uuid", f"urn:uuid:{UUID_TEXT}", f"UUID('{UUID_TEXT}')"),
    ("Flags", 6, "<Rights.READ|WRITE: 6>"),
    ("Flags", 0, "<Rights: 0>"),
    ("Number", "1", "<Size.ONE: 1>"),
    ("DatetimeOrText", "2026-01-01T12:00:00Z", NOON.format(UTC)),
    ("DatetimeOrText", "soon", "'soon'"),
    ("UuidOrText", UUID_TEXT, f"UUID('{UUID_TEXT}')"),
    ("Days", {"2026-01-01": ["07:30:00"]},
     "{datetime.date(2026, 1, 1): [datetime.time(7, 30)]}"),
    ("Digits", "\u0663", "'\u0663'"),
    ("Word", "\u00fc", "'\u00fc'"),
    ("NoSpace", "  ab  ", "'ab'"),
    ("Posix", "ab", "'ab'"),
    ("Hex", "ff", "255"),
    ("Address", "fe80::1%eth0", "IPv6Address('fe80::1%eth0')"),
    ("Money", "1.50", "Decimal('1.50')"),
    ("Yes", "on", "True"),
    ("Count", "1_000", "1000"),
    ("Count", 10**30, str(10**30)),
]  # fmt: skip


@pytest.mark.parametrize(("job_type", "value", "seen"), VALUES)
def test_what_the_class_accepts_is_accepted_and_arrives_as_its_type(
    served: System, job_type: str, value: Any, seen: str
) -> None:
    uuid = served.client.submit(job_type, {"value": value})

    assert served.client.result(uuid, DEADLINE_SECONDS) == seen


@pytest.mark.parametrize(
    ("job_type", "value"),
    [("Datetime", [1]), ("Flags", "x"), ("Uuid", 5), ("StrictTuple", {"a": 1}), ("Count", {})],
)
def test_what_the_class_refuses_is_refused_at_once(
    served: System, job_type: str, value: Any
) -> None:
    url = f"http://127.0.0.1:{served.port}/v1/jobs/{job_type}"

    assert httpx.post(url, json={"value": value}).status_code == 422
    assert httpx.post(url, json={"value": None, "valu": 1}).status_code == 422


def test_parameters_that_no_json_can_mean_fail_once_and_are_named(served: System) -> None:
    uuid = served.client.submit("Pairs", {"value": {"1,2": 3}})

    ended = served.client.wait(uuid, DEADLINE_SECONDS)

    assert (ended["state"], ended["resultCode"]) == ("failed", 422)
    assert "the parameters do not fit: value.1,2" in ended["message"]


def test_an_instance_arrives_as_it_is(served: System, jobs: Any) -> None:
    account = {"password": "deep", "hidden": 7, "theSizes": "[1, 2]"}
    instance = jobs.Shapes.model_validate({
        "secret": "s3cret", "secret_bytes": "bytes", "hidden": 2, "theAlias": 3, "toRead": 4,
        "second": 5, "some": {"where": [None, 6]}, "listed": "[1]", "raw": "ü", "coded": "AP8=",
        "endless": math.inf, "kind": "b", "account": account,
    })  # fmt: skip

    uuid = served.client.submit(instance)

    assert served.client.result(uuid, DEADLINE_SECONDS) == jobs.seen(instance)


def test_an_instance_of_defaults_arrives_as_it_is(served: System, jobs: Any) -> None:
    instance = jobs.Shapes(secret=SecretStr("x"), secret_bytes=SecretBytes(b"y"))

    uuid = served.client.submit(instance)

    assert served.client.result(uuid, DEADLINE_SECONDS) == jobs.seen(instance)


@pytest.mark.parametrize("values", [{"raw": b"\xff"}, {"raw": b"x", "endless": math.inf}])
def test_an_instance_without_a_json_form_is_refused_with_its_field(
    served: System, jobs: Any, values: dict[str, Any]
) -> None:
    with pytest.raises(InvalidParametersError, match=repr(list(values)[-1])):
        served.client.submit(jobs.Blob(**values))
