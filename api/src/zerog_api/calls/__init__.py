"""The request handlers: one class for each path of the API."""
