"""The background jobs of Acme."""
