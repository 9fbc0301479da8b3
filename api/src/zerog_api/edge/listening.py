"""What a connection wants to hear of from the loop, told to the system only when it must be.

A Tornado stream stops listening between a request's head and its body or its answer, and listens
again a moment later: a dozen system calls for each request. Here it goes on listening meanwhile.
If something comes that the stream does not want, which is rare, it stops then.
"""

from collections.abc import Callable
from typing import Any

from tornado.ioloop import IOLoop

Handler = Callable[[Any, int], None]


class LazyLoop:
    """Stands for the loop to one stream, and is the loop in all else."""

    READ, WRITE, ERROR = IOLoop.READ, IOLoop.WRITE, IOLoop.ERROR

    def __init__(self, loop: IOLoop) -> None:
        self._loop = loop
        self._handler: Handler | None = None
        #: What the stream wants to hear of, and what the system tells.
        self._wanted = self._told = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def add_handler(self, fd: Any, handler: Handler, events: int) -> None:
        """See `IOLoop`."""
        self._handler = handler
        self._wanted = self._told = events
        self._loop.add_handler(fd, self._happened, events)

    def update_handler(self, fd: Any, events: int) -> None:
        """See `IOLoop`. What is only not to be read now is left as it is."""
        self._wanted = events
        if (events := events | self._told & self.READ) != self._told:
            self._tell(fd, events)

    def _tell(self, fd: Any, events: int) -> None:
        self._told = events
        self._loop.update_handler(fd, events)

    def _happened(self, fd: Any, events: int) -> None:
        if events & self.READ and not self._wanted & self.READ:
            self._tell(fd, self._wanted)
            events &= ~self.READ
        if events and self._handler is not None:
            self._handler(fd, events)
