"""Nothing that a pod or a node sends leaves the machine.

The address is one of those that are for documentation and belong to nobody.
"""

import contextlib
import os
import re
import socket
from collections.abc import Iterator

import pytest
from tests.cluster.fixtures import skip_or_fail
from tests.e2e.node.conftest import Place

NOBODY = "192.0.2.1"
#: Nobody listens there on this machine; the packet is to be seen nevertheless.
PORT = 9
#: A packet that is swallowed, not rejected, ends in a TimeoutError.
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 30)
except OSError as error:
    print(type(error).__name__)
"""


class Capture:
    """All packets that an interface of this machine has seen."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._packets: list[bytes] = []

    def has_seen(self, *parts: bytes) -> bool:
        """Return whether a packet with all these parts has passed."""
        with contextlib.suppress(BlockingIOError):
            while packet := self._wire.recv(1 << 16):
                self._packets.append(packet)
        return any(all(part in packet for part in parts) for packet in self._packets)


@pytest.fixture
def capture() -> Iterator[Capture]:
    """What passes any interface of this machine, the default route's among them."""
    if os.geteuid() != 0:
        skip_or_fail("only root sees what passes an interface")
    every_protocol = socket.htons(0x0003)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, every_protocol) as wire:
        # Few packets pass in this time, but a full buffer would forget some.
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 26)
        wire.setblocking(False)
        yield Capture(wire)


def count_rejected(place: Place, node: str) -> int:
    """Return how many packets a node has kept from leaving."""
    rules = place.cluster.run_in_node(node, "nft", "list", "table", "inet", "zerog")
    (packets,) = re.findall(r"counter packets (\d+) bytes \d+ reject", rules)
    return int(packets)


def test_a_packet_of_a_pod_that_would_leave_the_machine_is_rejected_at_once(
    place: Place, capture: Capture
) -> None:
    node = place.list_workers()[0]
    place.apply(place.build_pod("caller", "exec sleep 600", nodeName=node))
    place.wait_for_phase("caller", "Running")
    before = count_rejected(place, node)

    here = place.cluster.address
    answers = [
        place.kubectl("exec", "caller", "--", "python3", "-c", CONNECT, address, str(PORT)).strip()
        for address in (here, NOBODY)
    ]

    assert answers[1] == "ConnectionRefusedError"
    assert count_rejected(place, node) > before
    # What may pass is seen, so what is not seen has not passed.
    assert capture.has_seen(socket.inet_aton(here))
    assert not capture.has_seen(socket.inet_aton(NOBODY))


def test_a_packet_of_a_node_that_would_leave_the_machine_is_rejected_too(
    place: Place, capture: Capture
) -> None:
    for node in (item["metadata"]["name"] for item in place.cluster.list_nodes()):
        before = count_rejected(place, node)

        tried = f"(: >/dev/tcp/{NOBODY}/{PORT}) 2>&1 || true"
        answer = place.cluster.run_in_node(node, "bash", "-c", tried)

        assert "Connection refused" in answer
        assert count_rejected(place, node) > before
    assert not capture.has_seen(socket.inet_aton(NOBODY))


def test_a_name_that_the_cluster_does_not_know_is_asked_of_nobody_outside(
    place: Place, capture: Capture
) -> None:
    ask = "getent hosts zerog.invalid || echo none"
    place.apply(place.build_pod("asker", ask, restartPolicy="Never"))

    place.wait_for_phase("asker", "Succeeded")

    assert place.kubectl("logs", "asker").strip() == "none"
    question = b"\x05zerog\x07invalid\x00"
    # The engine's name server would hand it on to this machine's.
    assert not capture.has_seen(socket.inet_aton(place.cluster.address), question)
