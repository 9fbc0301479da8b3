"""Measurements of ZeroG, beside its peers. `make bench` runs them."""
