"""The edge of the API: how HTTP is read, and how the calls are described."""
