"""Who may take the Lease."""

import pytest

from zerog_operator.lease import LEASE_SECONDS, RENEW_SECONDS, Seen, may_take


@pytest.mark.parametrize(
    ("holder", "age", "may"),
    [
        ("", 0.0, True),
        ("me", 0.0, True),
        ("other", 0.0, False),
        ("other", LEASE_SECONDS - 0.1, False),
        ("other", LEASE_SECONDS, True),
    ],
)
def test_a_lease_is_taken_when_it_is_free_ours_or_not_renewed(
    holder: str, age: float, may: bool
) -> None:
    assert may_take(Seen("1", holder, at=100.0), "me", 100.0 + age) is may


def test_a_holder_stops_before_somebody_else_may_begin() -> None:
    assert RENEW_SECONDS < LEASE_SECONDS
