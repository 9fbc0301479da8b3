"""What builds, runs and releases ZeroG, for the Makefile and for the tests."""
