"""Who calls, and what they may do. `gate` is what the rest of the API sees of it."""
