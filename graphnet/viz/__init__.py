"""Seeing a graph: as a networkx graph, as DOT text, as a picture; and a training run as curves.

`draw` is the one drawing function: `Graph.draw`, `Tensor.draw` and `Sequential.draw` call it. What is here is imported
when it is first used: a program that draws nothing does not pay for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphnet.viz.analysis import checkpoints, critical_path, widest_cut
    from graphnet.viz.from_network import from_networkx
    from graphnet.viz.interactive import Page, page
    from graphnet.viz.network import to_networkx
    from graphnet.viz.outline import tree
    from graphnet.viz.plot_labels import confusion_matrix, plot_confusion
    from graphnet.viz.plot_model import plot_activations, plot_decision_boundary, plot_weights
    from graphnet.viz.plots import plot_history
    from graphnet.viz.render import Picture, draw, to_dot
    from graphnet.viz.sides import compare, diff
    from graphnet.viz.unfinished import partial

_HOMES = {
    "Page": "interactive",
    "Picture": "render",
    "checkpoints": "analysis",
    "compare": "sides",
    "critical_path": "analysis",
    "diff": "sides",
    "draw": "render",
    "from_networkx": "from_network",
    "page": "interactive",
    "partial": "unfinished",
    "confusion_matrix": "plot_labels",
    "plot_confusion": "plot_labels",
    "plot_activations": "plot_model",
    "plot_decision_boundary": "plot_model",
    "plot_weights": "plot_model",
    "plot_history": "plots",
    "to_dot": "render",
    "to_networkx": "network",
    "tree": "outline",
    "widest_cut": "analysis",
}

__all__ = [
    "Page",
    "Picture",
    "checkpoints",
    "compare",
    "confusion_matrix",
    "critical_path",
    "diff",
    "draw",
    "from_networkx",
    "page",
    "partial",
    "plot_activations",
    "plot_confusion",
    "plot_decision_boundary",
    "plot_history",
    "plot_weights",
    "to_dot",
    "to_networkx",
    "tree",
    "widest_cut",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
