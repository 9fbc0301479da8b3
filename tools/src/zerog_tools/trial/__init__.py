"""`make cluster`: ZeroG on Kubernetes, from nothing to a job's result."""
