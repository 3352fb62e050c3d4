"""A graph as a `networkx.MultiDiGraph`."""

from __future__ import annotations

import linecache
import math
from typing import TYPE_CHECKING, Any

from graphnet.escape import line
from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.mode import Region
from graphnet.node import Tensor
from graphnet.optional import optional
from graphnet.record import OPS

if TYPE_CHECKING:
    import networkx


def to_networkx(graph: Graph, values: bool = False, profile: Any = None, plain: bool = False) -> networkx.MultiDiGraph:
    """The graph with one node per tensor, named as in its text, and one edge per use, from input to op.

    Nodes have

    * `kind` ("input", "parameter", "constant" or "op"), `op`, `attrs`, `name` (the user's, or None);
    * `shape`, `dtype`, `bytes`; `trainable` for parameters; with `values`, parameters and constants have `value`, a
      read-only array: then `Graph.from_networkx` gives a graph that computes the same;
    * `region` (names from the outside in), `region_index` (its place in the graph's `regions`), `site` (file and
      line), `source` (the text of that line, where the file can be read);
    * `output` (its places among the outputs), `gradient_of` (the node whose derivative it belongs to);
    * `time`, in seconds, with `profile` (of `plan.profile()`, for `profile.graph`); else None.

    Edges have `argument`, the input's place, which is also their key: so the order of inputs is kept, and `x - x` has
    two edges. The graph has `inputs` in their order, `outputs` in the form they are given in, `regions`, and
    `updates`, pairs of names: a parameter, and the node that is assigned to it.

    `plain` is for files that hold numbers and texts only, as GraphML and GML do:
    `networkx.write_graphml(g.to_networkx(plain=True), "g.graphml")`. Shapes, attributes and lists are texts then, and
    what is None or empty is left out.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> n = gn.Graph([x], x - x).to_networkx()
    >>> list(n.edges(keys=True))
    [('x', 't0', 0), ('x', 't0', 1)]
    """
    networkx = optional("networkx")
    names = dict(graph.names)
    for p, _ in graph.updates:
        if p not in names:
            names[p] = _unused(p.name or "updated", names)
    everything = dict.fromkeys((*graph.inputs, *graph.nodes, *(p for p, _ in graph.updates)))
    updates = tuple((names[p], names[t]) for p, t in graph.updates)
    regions: dict[Region, int] = {}
    listed: list[dict[str, Any]] = []
    given = set(graph.inputs)
    places: dict[Any, list[int]] = {}
    for place, t in enumerate(graph.outputs):
        places.setdefault(t, []).append(place)
    times = {t: seconds for t, (seconds, _) in profile.by_node().items()} if profile is not None else {}
    result: Any = networkx.MultiDiGraph(
        name=graph.name or "graph",
        inputs=[names[t] for t in graph.inputs],
        outputs=graph.structured([names[t] for t in graph.outputs]),
        regions=listed,
        updates=updates,
    )
    own = {t.op.name: t.op for t in everything if t.op is not None and OPS.get(t.op.name) is not t.op}
    if own:
        result.graph["ops"] = own
    for t in everything:
        inner = t.op is not None and t not in given
        kind = "input" if t in given else "parameter" if isinstance(t, Parameter) else "op" if inner else "constant"
        path = t.region.path if t.region is not None else ()
        site = t.site
        result.add_node(
            names[t],
            kind=kind,
            op=t.op.name if inner and t.op is not None else None,
            name=t.name,
            shape=t.shape,
            dtype=str(t.dtype),
            bytes=math.prod(t.shape) * t.dtype.itemsize,
            attrs=dict(t.attrs) if inner else {},
            region=tuple(r.name for r in path),
            region_index=_listed(t.region, regions, listed),
            site=site,
            source=linecache.getline(*site).strip() if site is not None else "",
            output=tuple(places.get(t, ())),
            gradient_of=names.get(t.gradient_of) if t.gradient_of is not None else None,
            time=times.get(t),
        )
        if kind == "parameter":
            result.nodes[names[t]]["trainable"] = t.requires_grad
        if values and t.op is None and not t.is_symbolic and not inner and kind != "input":
            result.nodes[names[t]]["value"] = t.numpy()
        if inner:
            for argument, source in enumerate(t.inputs):
                result.add_edge(names[source], names[t], key=argument, argument=argument)
    return _plain(result) if plain else result


def _plain(graph: networkx.MultiDiGraph) -> networkx.MultiDiGraph:
    """The same with numbers and texts as attributes, in which nothing is hidden that a file of text can't hold."""
    networkx = optional("networkx")

    names = {node: line(node) for node in graph}
    result = networkx.MultiDiGraph(**_texts(graph.graph))
    for node, data in graph.nodes(data=True):
        result.add_node(names[node], **_texts(data))
    for tail, head, key, data in graph.edges(keys=True, data=True):
        result.add_edge(names[tail], names[head], key=key, **data)
    return result


def _texts(data: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for key, value in data.items():
        empty = isinstance(value, (dict, list, str)) or (isinstance(value, tuple) and key != "shape")
        if value is None or (empty and not value):
            continue
        if hasattr(value, "tolist"):
            value = value.tolist()
        number = isinstance(value, (bool, int, float))
        found[key] = value if number else line("/".join(value) if key == "region" else value)
    return found


def _unused(name: str, names: dict[Tensor, str]) -> str:
    taken, free, n = set(names.values()), name, 1
    while free in taken:
        n += 1
        free = f"{name}_{n}"
    return free


def _listed(region: Region | None, places: dict[Region, int], listed: list[dict[str, Any]]) -> int | None:
    """The place of a region in the list, which it is added to, after those around it and what it belongs to."""
    if region is None:
        return None
    waiting = [region]
    while waiting:
        r = waiting[-1]
        of: Any = r.attrs.get("of")
        first = [q for q in (r.parent, of) if isinstance(q, Region) and q not in places]
        if first and r not in places:
            waiting += first
            continue
        waiting.pop()
        if r not in places:
            places[r] = len(listed)
            around = places[r.parent] if r.parent is not None else None
            belongs = places[of] if isinstance(of, Region) else None
            listed.append({"name": r.name, "kind": r.kind, "parent": around, "of": belongs})
    return places[region]
