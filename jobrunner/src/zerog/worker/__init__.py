"""The worker: takes jobs from the queue, runs them in child processes, records how they ended."""
