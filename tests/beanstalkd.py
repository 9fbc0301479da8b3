"""A real beanstalkd for tests: that of `zerog dev`, which may also be frozen and killed."""

from pathlib import Path

from zerog.queue.beanstalk.server import STOP_SECONDS, LocalBeanstalkd
from zerog_tools.cluster.ports import free_port


class Beanstalkd(LocalBeanstalkd):
    """A beanstalkd on a port that no other server of the tests gets."""

    #: What was acknowledged survives a kill.
    fsync_milliseconds = 0

    def __init__(self, *, binlog: Path | None = None) -> None:
        super().__init__(port=free_port(), binlog=binlog)

    def kill(self) -> None:
        """End it as a power failure would, and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
            self._process = None

    def signal(self, signum: int) -> None:
        """Send it a signal, e.g. SIGSTOP to freeze it."""
        if self._process is not None:
            self._process.send_signal(signum)
