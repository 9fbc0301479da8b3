"""What every test may ask for: test clusters and a Couchbase, made only when asked.

No test is timed, so neither are Hypothesis's examples: these machines are sometimes very slow.
"""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.cluster.fixtures", "tests.couchbase.fixtures"]

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
