"""Graphs made faster: passes that rewrite them, and the plans that run them."""
