"""Loops as one node: `scan`, whose step is a graph of its own, and whose gradient is a scan the other way."""

from graphnet.loops.scan import scan

__all__ = ["scan"]
