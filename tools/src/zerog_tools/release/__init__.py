"""What a release publishes, and whether it can be built again."""
