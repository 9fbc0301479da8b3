"""A job that proves an installation: `zerog worker zerog.selftest`, or `helm test`.

It is in every image with `zerog` in it, needs nothing, and says where it ran.
"""

import socket

import zerog


class SelfTest(zerog.Job):
    """Prove that a job gets from the API through the queue to a worker and back."""

    class Options:
        queue = "selftest"
        timeout = 60
        retain_ok_seconds = 3600
        retain_failed_seconds = 3600

    def run(self, ctx: zerog.Context) -> dict[str, str]:
        """Return the name of the machine or pod that it ran on."""
        ctx.info("a worker runs this")
        ctx.set_completeness(1)
        return {"host": socket.gethostname(), "version": zerog.__version__}
