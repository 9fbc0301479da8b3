"""Ports for servers of this machine: free ones, and nobody else's until this process ends.

A port that was only looked for may be taken by another server, or by any outgoing
connection, before ours listens there, or while ours has ended to be started again. So
it is kept: a socket is bound to it that never listens. Beside that a server may bind that sets
SO_REUSEADDR, which all do, and nobody gets the port by asking for a free one.
"""

import socket

_kept: list[socket.socket] = []


def free_port() -> int:
    """Return a port of the loopback interface that is free and stays so for our server.

    Where no server listens a connection is refused.
    """
    keeper = socket.socket()
    keeper.bind(("127.0.0.1", 0))
    # Only now, so that this one is nobody's.
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _kept.append(keeper)
    return int(keeper.getsockname()[1])
