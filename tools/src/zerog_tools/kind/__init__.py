"""kind, with the interface of the other clusters."""
