"""What every test may ask for: the fixtures of the test clusters, made only when asked."""

pytest_plugins = ["tests.cluster.fixtures"]
