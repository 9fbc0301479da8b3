"""What a run takes of the machine: processor time and memory, measured cheaply and honestly.

A child runs many jobs, so what it has used is compared before and after each. Its peak of memory
is reset before each run (Linux: `/proc/self/clear_refs`); where that is not possible a run's peak
is known only if it is higher than any before it. Unknown is None, and never 0.

Processes that the job starts count once they have ended: their processor time in full, their
memory one by one and not in sum. Of two runs of one child that start processes, the smaller one's
peak may be missing.
"""

import os
import resource

from msgspec import Struct

from zerog.child import procfs
from zerog.child.protocol import EndFrame
from zerog.model.limits import bounded
from zerog.model.record import Cost

#: Resets the peak of resident memory, and nothing else.
_RESET_PEAK = b"5"
_KIB = 1024
#: A peak that is no higher than this many times what the process has is taken for the run's own.
NEAR = 1.05


class Gauge:
    """Measures the runs of this process, in this process."""

    def __init__(self) -> None:
        #: Until the last measurement.
        self.total_cpu_seconds = 0.0
        #: What the process had when the last run ended.
        self.rss_bytes = 0
        #: Peaks before the run: of this process, None if it was reset, and of those it waited for.
        self._peak_kib: int | None = None
        self._waited_kib = 0

    def begin(self) -> None:
        """Begin to measure a run."""
        own, waited = _usage()
        # A peak that the process has anyway need not be reset, which takes longer than the rest.
        is_own = own.ru_maxrss * _KIB <= self.rss_bytes * NEAR or _reset_peak()
        self.total_cpu_seconds = _seconds(own) + _seconds(waited)
        self._peak_kib = None if is_own else own.ru_maxrss
        self._waited_kib = waited.ru_maxrss

    def end(self) -> Cost:
        """Return what the run took."""
        own, waited = _usage()
        self.rss_bytes = procfs.resident_bytes()
        peaks = []
        if self._peak_kib is None or own.ru_maxrss > self._peak_kib:
            peaks.append(own.ru_maxrss)
        if waited.ru_maxrss > self._waited_kib:
            peaks.append(waited.ru_maxrss)
        before, self.total_cpu_seconds = self.total_cpu_seconds, _seconds(own) + _seconds(waited)
        cpu_seconds = bounded(self.total_cpu_seconds - before)
        return Cost(cpu_seconds, max(peaks) * _KIB if peaks else None)


def _reset_peak() -> bool:
    try:
        # Not kept open: a job may close any file, and open another one under its number.
        file = os.open("/proc/self/clear_refs", os.O_WRONLY)
        try:
            return os.write(file, _RESET_PEAK) > 0
        finally:
            os.close(file)
    except OSError:  # there is no /proc, or it may not be written
        return False


def _usage() -> tuple[resource.struct_rusage, resource.struct_rusage]:
    return (
        resource.getrusage(resource.RUSAGE_SELF),
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )


def _seconds(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


class Meter(Struct):
    """What a worker knows of one child: from it, the cost of the run in which it died."""

    #: When its last run ended.
    total_cpu_seconds: float = 0.0
    #: Whether the child can reset its peak, so that its last one is the last run's.
    resets: bool = True

    def of_end(self, frame: EndFrame) -> Cost:
        """Return the cost of a run that has ended."""
        self.total_cpu_seconds = frame.total_cpu_seconds
        self.resets = self.resets and frame.peak_bytes is not None
        seconds = None if frame.cpu_seconds is None else round(frame.cpu_seconds, 6)
        return Cost(seconds, frame.peak_bytes)

    def of_death(self, max_rss_bytes: int, cpu_seconds: float | None) -> Cost:
        """Return the cost of the run in which the child died, as far as the kernel tells."""
        seconds = None
        if cpu_seconds is not None:
            seconds = round(bounded(cpu_seconds - self.total_cpu_seconds), 6)
        return Cost(seconds, max_rss_bytes if max_rss_bytes and self.resets else None)
