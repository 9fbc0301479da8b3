"""What Prometheus reads of a process, shared by API and worker.

`calls` measures what a process asks of datastore and queue; `ledger` shows counts of jobs. Both
import prometheus-client, so a process that shows no metrics imports neither.
"""
