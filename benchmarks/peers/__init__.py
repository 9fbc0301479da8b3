"""What ZeroG is measured beside."""
