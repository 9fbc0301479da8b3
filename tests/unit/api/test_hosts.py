"""Names that the API may be called by where nobody needs a token."""

import pytest

from zerog_api.edge.hosts import Hosts
from zerog_api.problems import Problem


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:8080", "127.1.2.3:1", "[::1]",
     "[::1]:8080", "jobs.example", "Jobs.Example:443", None],
)  # fmt: skip
def test_loopback_and_names_let_in_may_call(host: str | None) -> None:
    Hosts(["jobs.example"]).check(host)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example",
     "10.0.0.1", "[::2]:80", "[::1]evil.example", "localhost,evil.example", "localhost evil",
     "user@localhost", "0.0.0.0", "", "::1", "x" * 60_000],
)  # fmt: skip
def test_any_other_name_is_refused_and_told_what_to_do(host: str) -> None:
    with pytest.raises(Problem) as refused:
        Hosts(["jobs.example"]).check(host)

    assert (refused.value.status, refused.value.code) == (421, "foreign-host")
    assert "ZEROG_HOSTS" in refused.value.detail
    assert len(refused.value.detail) < 400
