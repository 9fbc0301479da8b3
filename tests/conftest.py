"""What every test may ask for: test clusters and a Couchbase, made only when asked.

No test is timed, so neither are Hypothesis's examples: these machines are sometimes very slow.
They are the same ones in each run, so that a run that passes passes again; `make fuzz` throws
others each time.
"""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.cluster.fixtures", "tests.couchbase.fixtures", "tests.outcome"]

settings.register_profile(
    "untimed",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("untimed")
