"""From networkx back to a graph that computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.graph import Graph, Trace, flatten
from graphnet.op import OPS, apply_prepared
from graphnet.tensor import Parameter, Region, Tensor, constant, mode, symbolic


def from_networkx(graph: Any) -> Graph:
    """The graph that `to_networkx(values=True)` gave, or one made by hand in its form.

    Nodes are read for `kind`, `op`, `attrs`, `shape`, `dtype`, `value`, `name`, `region`, `gradient_of`, edges for
    `argument`; the graph for `inputs`, `outputs`, `updates`, `regions`. Parameters are new ones, with copies of the
    values. Shapes of ops are computed, and compared with those that are given.

    Raises `ValueError` for a cycle, an unknown op, a missing value or input, or a shape that is another.
    """
    import networkx as nx

    if not nx.is_directed_acyclic_graph(graph):
        raise ValueError("this networkx graph has a cycle: it is no program")
    regions = _regions(graph.graph.get("regions", ()))
    own = graph.graph.get("ops", {})
    made: dict[Any, Tensor] = {}
    # In a trace parameters count as unknown, so that ops on them alone are recorded too.
    trace = Trace()
    # In the order of the nodes where that is one to compute in, so that the text is the same.
    place = {node: i for i, node in enumerate(graph.nodes)}
    for node in nx.lexicographical_topological_sort(graph, key=place.__getitem__):
        data = graph.nodes[node]
        if data.get("kind") != "op":
            made[node] = _leaf(node, data)
            continue
        op = own.get(data["op"]) or OPS.get(data["op"])
        if op is None:
            raise ValueError(f"node {node!r}: no op is named {data['op']!r}")
        edges = sorted((d["argument"], tail) for tail, _, d in graph.in_edges(node, data=True))
        if [a for a, _ in edges] != list(range(len(edges))):
            raise ValueError(f"node {node!r}: its inputs are numbered {[a for a, _ in edges]}, not from 0 on")
        index = data.get("region_index")
        of = made.get(data.get("gradient_of"))
        with mode(recording=True, trace=trace, region=regions[index] if index is not None else None, of=of):
            t = apply_prepared(op, [made[tail] for _, tail in edges], dict(data.get("attrs") or {}))
        if "shape" in data and tuple(data["shape"]) != t.shape:
            raise ValueError(f"node {node!r}: {op.name} of these inputs has shape {t.shape}, not {data['shape']}")
        t.name = data.get("name")
        made[node] = t
    listed = graph.graph.get("inputs")
    if listed is None:
        listed = [node for node in graph.nodes if graph.nodes[node].get("kind") == "input"]
    outputs = graph.graph.get("outputs")
    if outputs is None:
        outputs = [node for node in graph.nodes if graph.out_degree(node) == 0]
    leaves, rebuild = flatten(outputs)
    outputs = rebuild([made[node] for node in leaves])
    updates = [(made[p], made[t]) for p, t in graph.graph.get("updates", ())]
    name = graph.graph.get("name") or None
    return Graph([made[n] for n in listed], outputs, updates, None if name == "graph" else name)  # type: ignore[arg-type]


def _leaf(node: Any, data: dict[str, Any]) -> Tensor:
    """An input, a parameter or a constant."""
    kind = data.get("kind")
    if kind == "input":
        return symbolic(tuple(data["shape"]), np.dtype(data["dtype"]), data.get("name"))
    if kind not in ("parameter", "constant"):
        raise ValueError(f"node {node!r} is an input, a parameter, a constant or an op; its kind is {kind!r}")
    if "value" not in data:
        raise ValueError(f"node {node!r} is a {kind} without a value: use to_networkx(values=True)")
    value = np.array(data["value"], dtype=data.get("dtype"))
    if kind == "parameter":
        return Parameter(value, value.dtype, data.get("name"), data.get("trainable", value.dtype.kind == "f"))
    t = constant(value)
    t.name = data.get("name")
    return t


def _regions(listed: Any) -> list[Region]:
    """The regions of `graph.graph["regions"]`, each after those it is in or belongs to."""
    found: list[Region] = []
    for r in listed:
        parent = found[r["parent"]] if r["parent"] is not None else None
        attrs = {"of": found[r["of"]]} if r.get("of") is not None else {}
        found.append(Region(r["name"], r["kind"], parent, attrs))
    return found
