"""Seeing a graph: as a networkx graph, as DOT text, as a picture; and a training run as curves.

`draw` is the one drawing function: `Graph.draw`, `Tensor.draw` and `Sequential.draw` call it.
"""

from graphnet.viz.network import to_networkx
from graphnet.viz.plots import plot_history
from graphnet.viz.render import Picture, draw, to_dot

__all__ = ["Picture", "draw", "plot_history", "to_dot", "to_networkx"]
