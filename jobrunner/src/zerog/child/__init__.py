"""The processes that run jobs, and how the worker talks to them."""
