"""Everything that is used of the operator: what scales is imported, never imitated.

No other module here imports `zerog_operator`, so that a change there is followed in one place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from zerog_operator.history import QueueHistory as QueueHistory
from zerog_operator.history import follow as follow
from zerog_operator.model import Decision as Decision
from zerog_operator.model import Observation as Observation
from zerog_operator.model import QueueReading as QueueReading
from zerog_operator.model import Unknown as Unknown
from zerog_operator.model import WorkerPod as WorkerPod
from zerog_operator.model import Workers as Workers
from zerog_operator.model import WorkerState as WorkerState
from zerog_operator.pool import PoolSpec as PoolSpec
from zerog_operator.pool import StopPolicy as StopPolicy
from zerog_operator.rates import ENOUGH_JOBS as ENOUGH_JOBS
from zerog_operator.rates import measure_job_time as measure_job_time
from zerog_operator.scaling import History as History
from zerog_operator.scaling import decide as decide
from zerog_operator.tubes import Tubes as Tubes
from zerog_operator.windows import bounds_at as bounds_at


@dataclass(frozen=True)
class WrittenPool:
    """A ZeroGWorkerPool as a person writes it: its `spec` still has the CRD's names."""

    name: str = "simulated"
    spec: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def parsed(self) -> PoolSpec:
        """What the operator makes of it. `ConfigError` lists what is wrong with it."""
        return PoolSpec.parse(self.name, self.spec)

    def changed(self, spec: Mapping[str, Any], scaling: Mapping[str, Any]) -> "WrittenPool":
        """Return the pool with other values of its `spec` and `spec.scaling`."""
        kept = dict(self.spec.get("scaling") or {})
        if "jobsPerWorker" in scaling or "targetStartSeconds" in scaling:
            # The one replaces a choice of the other.
            kept.pop("jobsPerWorker", None)
            kept.pop("targetStartSeconds", None)
        return WrittenPool(self.name, {**self.spec, **spec, "scaling": {**kept, **scaling}})
