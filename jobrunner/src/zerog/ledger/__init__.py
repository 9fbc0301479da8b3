"""The only writer of job documents, and of everything that is kept beside them."""
