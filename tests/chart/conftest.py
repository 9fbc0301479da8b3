"""Tests of the chart need helm, which is built from its public modules."""

import pytest
from tests.cluster.fixtures import skip_or_fail

from zerog_tools.cluster.binaries import BuildError, ensure_binaries
from zerog_tools.cluster.go import GoMissingError


@pytest.fixture(scope="session", autouse=True)
def _helm() -> None:
    try:
        ensure_binaries(["helm"])
    except GoMissingError as error:
        skip_or_fail(str(error))
    except BuildError as error:
        pytest.fail(str(error), pytrace=False)
