"""What a job is: its class, its options, its record, and the pure rules of its life."""
