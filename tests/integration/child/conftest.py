"""Nurseries for tests: one per module, of the jobs that the module's `JOBS` describes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from zerog.child.handle import NurseryHandle

from .running import job, nursery_of, write_jobs


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nursery(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[NurseryHandle]:
    """Return a nursery with a job type for each entry of the test module's `JOBS`."""
    jobs: dict[str, str] = request.module.JOBS
    fields = getattr(request.module, "FIELDS", "")
    text = "".join(job(body, name, fields) for name, body in jobs.items())
    async with nursery_of(write_jobs(tmp_path_factory.mktemp("jobs"), text)) as started:
        yield started


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """Return a file into which a job may write."""
    return tmp_path / "note"
