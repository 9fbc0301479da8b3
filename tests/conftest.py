"""What every test may ask for: test clusters and a Couchbase, made only when asked.

No test is timed, so neither are Hypothesis's examples: these machines are sometimes very slow.
They are the same ones in each run, so that a run that passes passes again; whoever looks for more
sets `FUZZ_EXAMPLES` and gets others each time.
"""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.cluster.fixtures", "tests.couchbase.fixtures"]

settings.register_profile(
    "untimed",
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("untimed")
