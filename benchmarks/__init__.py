"""Measurements: each against something real, in one run, each library alone in its own process."""
