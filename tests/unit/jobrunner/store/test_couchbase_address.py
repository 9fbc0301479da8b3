"""What a datastore's URL says, and what it must not."""

import pytest

from zerog.model.errors import ConfigError
from zerog.store.couchbase.address import Address, parse_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (
            "couchbase://zerog@db/jobs",
            Address("couchbase://db", "jobs", "zerog", "zerog"),
        ),
        (
            "couchbases://me@a,b:11207/jobs/team-1?network=default&x=1",
            Address("couchbases://a,b:11207?network=default&x=1", "jobs", "team-1", "me"),
        ),
        ("couchbases://db/jobs/", Address("couchbases://db", "jobs", "zerog", None)),
        ("couchbase://me@db/jobs/_default", Address("couchbase://db", "jobs", "_default", "me")),
    ],
)
def test_a_url_names_hosts_bucket_scope_and_user(url: str, address: Address) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "couchbase://",
        "couchbase://db",
        "couchbase://me@db/",
        "couchbase:///jobs",
        "couchbase://@db/jobs",
        "couchbase://me@db/jobs/_system",
        "couchbase://me@db/jobs/a/b",
        "couchbase://me@db/jo`bs",
    ],
)
def test_a_url_that_names_too_little_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="names no"):
        parse_address(url)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="ZEROG_COUCHBASE_PASSWORD_FILE") as caught:
        parse_address("couchbase://me:hunter2@db/jobs")

    assert "hunter2" not in str(caught.value)
