"""Traces: when they are made, and that they cost nothing otherwise."""

import subprocess
import sys

import pytest

from zerog import tracing
from zerog.model.record import new_job_id

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1"}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "true"}, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_traces_are_made_where_the_standard_variables_say_so(
    environ: dict[str, str], wanted: bool
) -> None:
    assert tracing.is_wanted(environ) == wanted


def test_without_a_collector_nothing_is_made_and_nothing_imported() -> None:
    text = (
        "import sys, zerog.worker.main, zerog.child.nursery, zerog_api.main\n"
        "from zerog.child import spans\nfrom zerog.tracing import open_tracing\n"
        "assert open_tracing({}) is None\nspans.install({})\nspans.enter('00-' + 'a' * 52)\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )

    subprocess.run([sys.executable, "-c", text], check=True, timeout=100)


def test_a_traceparent_survives_its_context() -> None:
    text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    context = tracing.context_of(text)

    assert context is not None
    assert tracing.parent_of(context) == text
    assert tracing.context_of("nonsense") is None


def test_attempts_have_ids_of_their_own() -> None:
    uuid = new_job_id()

    assert len({tracing.attempt_id(uuid, attempt) for attempt in range(100)}) == 100
    assert tracing.attempt_id(uuid, 1) == tracing.attempt_id(uuid, 1)
