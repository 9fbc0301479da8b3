"""A stream that has nothing to send still shows that the API is alive."""

from pathlib import Path

import httpx
import pytest
from tests.integration.api.serving import job_type, serving

from zerog_api.calls import jobs
from zerog_api.edge import sse
from zerog_api.settings import ApiSettings

DEADLINE_SECONDS = 60


@pytest.mark.parametrize("path", ["/v1/overview/stream", "/v1/jobs/{uuid}/stream"])
def test_a_silent_stream_sends_events_that_show_that_the_api_is_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    for module in (jobs, sse):
        monkeypatch.setattr(module, "ALIVE_SECONDS", 0.1)
    with serving(tmp_path, ApiSettings(), [job_type("Mail", "mail")]) as url:
        uuid = httpx.post(f"{url}/v1/jobs/Mail", json={}).json()["uuid"]

        with httpx.stream("GET", url + path.format(uuid=uuid), timeout=DEADLINE_SECONDS) as stream:
            lines = stream.iter_lines()
            assert next(line for line in lines if line == "event: alive")
            assert next(lines) == "data: {}"
