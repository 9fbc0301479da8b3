"""Why worker pods ended: told once for each end.

The kubelet and the control plane say it in a pod's status; here it gets one of a few words. An
end that is the plan (a worker that retired and exited 0) is not told.
"""

from dataclasses import dataclass, field

from zerog_operator.pods import Ending, PodFacts

#: The most ends that are remembered as told.
REMEMBERED = 10_000

OUT_OF_MEMORY = "OutOfMemory"
#: The cluster's words, and ours. What is not here is a crash.
CAUSES = {
    "OOMKilled": OUT_OF_MEMORY,
    "Evicted": "Evicted",
    "EvictionByEvictionAPI": "Evicted",
    "TerminationByKubelet": "Evicted",
    "Terminated": "Evicted",
    "PreemptionByScheduler": "Preempted",
    "Preempting": "Preempted",
    "DeletionByTaintManager": "NodeLost",
    "DeletionByPodGC": "NodeLost",
    "NodeLost": "NodeLost",
    "Deleted": "Deleted",
}


@dataclass(slots=True)
class CauseRecorder:
    """Remembers what was told."""

    told: dict[str, None] = field(default_factory=dict)

    def news(self, facts: PodFacts) -> tuple[str, Ending] | None:
        """Return the cause of an end that was not told yet."""
        ending = facts.ending
        if ending is None or ending.exit_code == 0 or not self.is_new(ending.key):
            return None
        return CAUSES.get(ending.reason, "Crash"), ending

    def is_new(self, key: str) -> bool:
        """Whether this is asked for the first time."""
        if key in self.told:
            return False
        self.told[key] = None
        while len(self.told) > REMEMBERED:
            del self.told[next(iter(self.told))]
        return True
