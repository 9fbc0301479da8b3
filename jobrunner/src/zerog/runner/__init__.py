"""The worker: a supervisor that owns queue and datastore, and the children that run jobs."""
