"""What networkx's algorithms say about a program: its longest path, its most memory, where it can be cut.

All take what `Graph.to_networkx` gives, and answer with names of nodes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from graphnet.optional import optional


def critical_path(graph: Any, weight: str | None = "time") -> list[str]:
    """The path of the largest sum of a node attribute: what would take that long on any number of processors.

    `weight` is "time" (of `to_networkx(profile=...)`), "bytes", or None for the most nodes.

    Raises `ValueError` if no node has the attribute.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> critical_path(gn.Graph([x], gn.exp(gn.sin(x)) + x).to_networkx(), None)
    ['x', 't0', 't1', 't2']
    """
    nx = optional("networkx")
    weights = {node: 1.0 if weight is None else data.get(weight) or 0.0 for node, data in graph.nodes(data=True)}
    if weight is not None and not any(weights.values()):
        more = ": use to_networkx(profile=plan.profile()) of profile.graph" if weight == "time" else ""
        raise ValueError(f"no node has {weight!r}{more}")
    best: dict[Any, tuple[float, Any]] = {}
    for node in nx.topological_sort(graph):
        before = max((best[p][0], str(p), p) for p in graph.pred[node]) if graph.pred[node] else (0.0, "", None)
        best[node] = (before[0] + weights[node], before[2])
    node = max(best, key=lambda n: best[n][0]) if best else None
    path = []
    while node is not None:
        path.append(node)
        node = best[node][1]
    return path[::-1]


@dataclass(frozen=True)
class Cut:
    """The widest place of a program: `bytes` that are alive when `at` has just been computed, in `alive`."""

    bytes: int
    at: str
    alive: tuple[str, ...]


def widest_cut(graph: Any, leaves: bool = False) -> Cut:
    """The most bytes of values that are needed at once when the nodes are computed in their order.

    A value is alive from the op that makes it to the last that reads it, an output to the end. This is what a run
    needs without memory shared in place, so an upper bound of what a plan reserves. `leaves` counts inputs, parameters
    and constants too.

    >>> import graphnet as gn
    >>> x = gn.input((256,), name="x")
    >>> a = gn.exp(x)
    >>> widest_cut(gn.Graph([x], (gn.sin(a) + gn.cos(a)).sum()).to_networkx())
    Cut(bytes=3072, at='t2', alive=('t0', 't1', 't2'))
    """
    order = list(graph.nodes)
    place = {node: i for i, node in enumerate(order)}
    assigned = {t for _, t in graph.graph.get("updates", ())}
    last = {}
    for node in order:
        kept = graph.nodes[node].get("output") or node in assigned
        last[node] = len(order) if kept else max((place[u] for u in graph.succ[node]), default=place[node])
    counted = [n for n in order if leaves or graph.nodes[n]["kind"] == "op"]
    ends: dict[int, list[Any]] = {}
    for n in counted:
        ends.setdefault(last[n], []).append(n)
    begins = set(counted)
    now, best, at, alive = 0, -1, "", dict[Any, None]()
    found: tuple[Any, ...] = ()
    for i, node in enumerate(order):
        if node in begins:
            now += graph.nodes[node]["bytes"]
            alive[node] = None
        if now > best:
            best, at, found = now, node, tuple(alive)
        for n in ends.get(i, ()):
            now -= graph.nodes[n]["bytes"]
            del alive[n]
    return Cut(max(best, 0), at, found)


def checkpoints(graph: Any, outputs: Iterable[str] | None = None) -> list[str]:
    """The ops that every path from an input to the outputs goes through: the dominators of the result.

    Whoever keeps one of them can compute everything after it again without anything before: they are the candidates
    for `gn.checkpoint`. Parameters and constants count as always there.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> a = gn.exp(x)
    >>> b = gn.sin(a) + gn.cos(a)
    >>> checkpoints(gn.Graph([x], gn.tanh(b)).to_networkx())
    ['t0', 't3', 't4']
    """
    nx = optional("networkx")
    flow = nx.DiGraph()
    flow.add_edges_from((a, b) for a, b in graph.edges())
    source, sink = object(), object()
    flow.add_edges_from((source, n) for n, d in graph.nodes(data=True) if d["kind"] == "input")
    ends = list(outputs) if outputs is not None else [n for n, d in graph.nodes(data=True) if d.get("output")]
    flow.add_edges_from((n, sink) for n in ends)
    above = nx.immediate_dominators(flow, source)
    found = []
    node: Any = above.get(sink, source)
    while node is not source and node is not None:
        if graph.nodes[node]["kind"] == "op":
            found.append(node)
        node = above[node]
    return found[::-1]
