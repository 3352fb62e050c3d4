"""Seeing a graph: as a networkx graph, as DOT text, as a picture.

`draw` is the one drawing function: `Graph.draw`, `Tensor.draw` and `Sequential.draw` call it.
"""

from graphnet.viz.network import to_networkx
from graphnet.viz.render import Picture, draw, to_dot

__all__ = ["Picture", "draw", "to_dot", "to_networkx"]
