"""ZeroG."""
