"""How a queue's address is written: `zerog.queue.parse_address`."""

import pytest

from zerog.model.errors import ConfigError
from zerog.queue import parse_address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:11300", ("127.0.0.1", 11300)),
        ("beanstalk://queue.zerog.svc:1", ("queue.zerog.svc", 1)),
        ("localhost:65535", ("localhost", 65535)),
        ("localhost", ("localhost", 11300)),
        ("beanstalk://localhost", ("localhost", 11300)),
        ("[::1]:11300", ("::1", 11300)),
    ],
)
def test_an_address_is_a_host_and_a_port(address: str, expected: tuple[str, int]) -> None:
    assert parse_address(address) == expected


@pytest.mark.parametrize(
    "address",
    ["", ":", ":11300", "host:", "host:0", "host:65536", "host:-1", "host:x", "11300", "host:²"],
)
def test_anything_else_is_refused_and_the_form_is_said(address: str) -> None:
    with pytest.raises(ConfigError, match="write host:port"):
        parse_address(address)
