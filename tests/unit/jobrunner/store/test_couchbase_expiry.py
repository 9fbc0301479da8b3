"""An expiry as the server counts it: from the start of its present second."""

import pytest

from zerog.store.couchbase.writes import whole_seconds


@pytest.mark.parametrize("seconds", [0.05, 0.3, 1.0, 1.2, 10.0, 3600.0])
@pytest.mark.parametrize("into_the_second", [0.0, 0.5, 0.999])
def test_nothing_expires_earlier_than_asked_for(seconds: float, into_the_second: float) -> None:
    asked = whole_seconds(seconds).total_seconds()

    lives = asked - into_the_second

    assert asked == int(asked)
    assert seconds <= lives <= seconds + 2


def test_an_expiry_of_nothing_is_not_for_ever() -> None:
    assert whole_seconds(0).total_seconds() == 1
