"""A graph as a tree of its layers, in text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from graphnet.apply import described
from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.mode import Region
from graphnet.node import Tensor
from graphnet.viz.scene import one_line
from graphnet.viz.visible import Builder
from graphnet.viz.words import plural, region_label


class _Branch:
    """A box of the tree, with its ops and boxes in the order of the program."""

    def __init__(self, region: Region | None):
        self.region = region
        self.children: dict[Region | Tensor, _Branch | None] = {}
        self.ops = 0
        self.numbers = 0
        self.last: Tensor | None = None


def tree(graph: Graph, depth: int | None = None, ops: bool = True) -> str:
    """The layers and composites of a graph as a tree, with their ops, parameters and results.

    `depth` levels are open (None for all); `ops=False` leaves single ops out.

    >>> import graphnet as gn
    >>> x = gn.input((4, 3), name="x")
    >>> with gn.region("dense", "Dense"):
    ...     y = gn.relu(x @ gn.Parameter([[1.0], [2.0], [3.0]], name="w"))
    >>> print(tree(gn.Graph([x], y)))
    graph(x: float32[4, 3]) -> float64[4, 1]
    └─ dense (Dense): 2 ops, 3 parameters        float64[4, 1]
       ├─ w                                      float64[3, 1]
       ├─ t0 = matmul(x, w)                      float64[4, 1]
       └─ t1 = relu(t0)                          float64[4, 1]
    """
    builder = Builder(graph)
    root = _Branch(None)
    for t in _in_order(builder):
        branch = root
        trail = [root]
        for r in builder.paths[t]:
            child = branch.children.setdefault(r, _Branch(r))
            assert child is not None
            branch = child
            trail.append(branch)
        branch.children[t] = None
        for b in trail:
            b.ops += t.op is not None
            b.numbers += t.size if isinstance(t, Parameter) else 0
            b.last = t if t.op is not None else b.last
    head = ", ".join(f"{graph.names[t]}: {described(t)}" for t in graph.inputs)
    result = ", ".join(described(t) for t in graph.outputs)
    rows: list[tuple[str, str]] = []
    waiting = _below(root, "", 0, depth, ops)
    while waiting:
        line, item, level, indent, branch_of = waiting.pop()
        if branch_of is None:
            assert isinstance(item, Tensor)
            rows.append((line + _op_text(item, graph, builder), described(item)))
            continue
        assert isinstance(item, Region)
        kind = f" ({one_line(item.kind)})" if item.kind not in (item.name, "gradient") else ""
        counted = plural(branch_of.ops, "op")
        counted += f", {plural(branch_of.numbers, 'parameter')}" if branch_of.numbers else ""
        last = described(branch_of.last) if branch_of.last is not None else ""
        rows.append((f"{line}{region_label(item)}{kind}: {counted}", last))
        waiting += _below(branch_of, indent, level + 1, depth, ops)
    width = min(max((len(left) for left, _ in rows), default=0), 70) + 8
    body = [f"{left:{width}}{right}".rstrip() for left, right in rows]
    return "\n".join([f"{one_line(graph.name or 'graph')}({head}) -> {result}", *body])


def _in_order(builder: Builder) -> Iterator[Tensor]:
    """The nodes as the program was written, each leaf before what uses it first."""
    told = set(builder.given)
    for t in sorted((t for t in builder.nodes if t.op is not None and t not in told), key=lambda t: t._tick):
        for leaf in builder.inputs[t]:
            if leaf.op is None and leaf not in told:
                told.add(leaf)
                yield leaf
        yield t
    yield from (t for t in builder.nodes if t.op is None and t not in told)


_Row = tuple[str, "Region | Tensor", int, str, "_Branch | None"]


def _below(branch: _Branch, indent: str, level: int, depth: int | None, ops: bool) -> list[_Row]:
    """The rows under a branch, the last first: (line so far, item, level, indent of what is under it, its branch)."""
    if depth is not None and level > depth:
        return []
    shown = [(item, child) for item, child in branch.children.items() if child is not None or ops]
    rows: list[_Row] = []
    for place, (item, child) in enumerate(shown):
        last = place == len(shown) - 1
        rows.append((indent + ("└─ " if last else "├─ "), item, level, indent + ("   " if last else "│  "), child))
    return rows[::-1]


def _op_text(t: Tensor, graph: Graph, builder: Builder) -> str:
    name = one_line(graph.names[t])
    if t.op is None:
        return name if isinstance(t, Parameter) else f"{name} (constant)"
    inputs = [repr(i._value.item()) if i in builder.inlined else one_line(graph.names[i]) for i in t.inputs]
    attrs = [one_line(f"{k}={v!r}", 30) for k, v in t.attrs.items() if v is not None and v is not False]
    return one_line(f"{name} = {t.op.name}({', '.join(inputs + attrs)})", 60)
