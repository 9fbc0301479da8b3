"""Commands against a REST API that answers from a script."""

from collections.abc import Iterator

import pytest
from tests.scripted_api import FakeApi


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """Give a scripted API."""
    fake = FakeApi()
    yield fake
    fake.close()
