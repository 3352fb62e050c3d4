"""A graph as a `networkx.MultiDiGraph`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from graphnet.tensor import Parameter

if TYPE_CHECKING:
    import networkx

    from graphnet.graph import Graph


def to_networkx(graph: Graph, values: bool = False) -> networkx.MultiDiGraph:
    """The graph with one node per tensor, named as in its text, and one edge per use, from input to op.

    Nodes have `kind` ("input", "parameter", "constant" or "op"), `op`, `name` (the user's, or None), `shape`, `dtype`,
    `bytes`, `attrs`, `region` (names from the outside in), `site` (file and line), `output` (its places among the
    outputs), `gradient_of`; with `values`, parameters and constants have `value`, a read-only array. Edges have
    `argument`, the input's place, which is also their key: so the order of inputs is kept, and `x - x` has two edges.
    The graph's `updates` are pairs of names: a parameter, and the node that is assigned to it.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> n = gn.Graph([x], x - x).to_networkx()
    >>> list(n.edges(keys=True))
    [('x', 't0', 0), ('x', 't0', 1)]
    """
    import networkx

    names = graph.names
    updates = tuple((names.get(p, p.name), names[t]) for p, t in graph.updates)
    result = networkx.MultiDiGraph(name=graph.name or "graph", updates=updates)
    given = set(graph.inputs)
    places: dict[Any, list[int]] = {}
    for place, t in enumerate(graph.outputs):
        places.setdefault(t, []).append(place)
    for t in dict.fromkeys((*graph.inputs, *graph.nodes)):
        kind = "input" if t in given else "parameter" if isinstance(t, Parameter) else "op" if t.op else "constant"
        inner = t.op is not None and t not in given
        result.add_node(
            names[t],
            kind=kind,
            op=t.op.name if inner and t.op is not None else None,
            name=t.name,
            shape=t.shape,
            dtype=str(t.dtype),
            bytes=math.prod(t.shape) * t.dtype.itemsize,
            attrs=dict(t.attrs) if inner else {},
            region=tuple(r.name for r in t.region.path) if t.region is not None else (),
            site=t.site,
            output=tuple(places.get(t, ())),
            gradient_of=names.get(t.gradient_of) if t.gradient_of is not None else None,
        )
        if values and t.op is None and not t.is_symbolic:
            result.nodes[names[t]]["value"] = t.numpy()
        if inner:
            for argument, source in enumerate(t.inputs):
                result.add_edge(names[source], names[t], key=argument, argument=argument)
    return result
