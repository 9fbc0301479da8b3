"""ZeroG's container images, and what is known of their contents."""
