"""What job authors write with: jobs, context, signals, options. It knows no store and no queue."""
