"""Run a job in-process, for its author's tests. See `zerog.sdk.testing`."""

from zerog.sdk.testing import Run, run

__all__ = ["Run", "run"]
