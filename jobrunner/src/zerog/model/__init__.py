"""What a job is, as data: its record, the pure rules of its life, its documents, the errors."""
