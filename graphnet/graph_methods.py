"""The methods of `Graph` and `Plan` that lead on: to smaller graphs, plans, profiles, pictures, texts, networkx.

They stand here, since what they call is built on those classes. No other file adds methods to them. What draws or
measures is imported when it is first asked for.
"""

from __future__ import annotations

from typing import Any

from graphnet.graph import Graph
from graphnet.plans import rewrite
from graphnet.plans.plan import Plan, planned


def simplify(self: Graph) -> Graph:
    """A smaller graph with the same values: no dead code, equal nodes shared, constants computed, algebra done."""
    return rewrite.simplify(self)


def compile(self: Graph, backend: str | None = None) -> Any:
    """A `Plan`: the graph as one function over arrays, in buffers laid out ahead.

    `backend` is "auto" (NumPy at first, native code as soon as it is ready), "numpy" or "native". Without it the
    environment variable `GRAPHNET_NATIVE` decides: "0" is "numpy", "1" is "native", else it is "auto".
    """
    return planned(self, backend)


def to_networkx(self: Graph, **options: Any) -> Any:
    """A `networkx.MultiDiGraph`: everything known on its nodes, the input's place on its edges.

    `values=True` adds what parameters and constants hold, `profile` the times of a plan's profile. With
    `plain=True` all attributes are numbers and texts, for `networkx.write_graphml` and `networkx.write_gml`.
    """
    from graphnet.viz import network

    return network.to_networkx(self, **options)


def from_networkx(cls: type[Graph], graph: Any) -> Graph:
    """The graph that `to_networkx(values=True)` gave; it computes the same.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> n = gn.Graph([x], gn.exp(x) * 2.0).to_networkx(values=True)
    >>> gn.Graph.from_networkx(n)([0.0, 0.0])
    Tensor([2., 2.], dtype=float32)
    """
    from graphnet.viz import from_network

    return from_network.from_networkx(graph)


def tree(self: Graph, depth: int | None = None, ops: bool = True) -> str:
    """The graph as a tree of its layers, for a terminal; `depth` levels of it, with or without single ops."""
    from graphnet.viz import outline

    return outline.tree(self, depth, ops)


def to_dot(self: Graph, **options: Any) -> str:
    """The text of a Graphviz graph; options as for `draw`."""
    from graphnet.viz import render

    return render.to_dot(self, **options)


def draw(self: Graph, path: Any = None, **options: Any) -> Any:
    """A picture, written to `path` if that is given (SVG, PNG, PDF, DOT or JSON by its ending).

    Options are those of `graphnet.viz.draw`: what is shown (`depth`, `fold`, `gradient`, `names`, ...), what is
    known about it (`values`, `heat`, `profile`), and how it is laid out (`rankdir`, `engine`, ...).
    """
    from graphnet.viz import render

    return render.draw(self, path, **options)


def profile_plan(self: Plan, *arrays: Any, repeat: int = 20) -> Any:
    """Where the time goes: a `Profile`, one row for each step. Parameters are as before afterwards.

    `arrays` are the arguments; without them, arrays of zeros.
    """
    from graphnet.plans import profile

    return profile.profiled(self, arrays, repeat)


def draw_plan(self: Plan, path: Any = None, **options: Any) -> Any:
    """A picture of what runs: fused kernels as boxes, with the code of each step as the text behind it.

    Options are those of `Graph.draw`; `heat="time"` measures, unless `profile` has what `profile()` gave. With
    `kernels=False` the boxes are those of the layers.
    """
    from graphnet.viz import plans

    return plans.draw_plan(self, path, **options)


def _svg(self: Any) -> str:
    """What a notebook shows."""
    return self.draw().svg


def _install(cls: type, methods: dict[str, Any]) -> None:
    for name, method in methods.items():
        function = getattr(method, "__func__", method)
        function.__name__, function.__qualname__ = name, f"{cls.__name__}.{name}"
        setattr(cls, name, method)


_install(
    Graph,
    {
        "simplify": simplify,
        "compile": compile,
        "to_networkx": to_networkx,
        "from_networkx": classmethod(from_networkx),
        "tree": tree,
        "to_dot": to_dot,
        "draw": draw,
    },
)
_install(Plan, {"profile": profile_plan, "draw": draw_plan})
for _cls in (Graph, Plan):
    setattr(_cls, "_repr_svg_", _svg)  # noqa: B010
