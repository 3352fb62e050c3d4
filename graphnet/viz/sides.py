"""Two graphs side by side, or as a text: what is in both, what only before, and what only after.

Nodes are the same if op, arguments and inputs are, down to leaves of the same name, kind, shape and value: whether
they are the same objects does not matter, for a pass makes new ones.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.node import Tensor
from graphnet.viz.render import Picture, drawn
from graphnet.viz.repeats import frozen
from graphnet.viz.scene import Box, Edge, Node, Scene, one_line
from graphnet.viz.scenes import scene_of


def fingerprints(graph: Graph, table: dict[Hashable, int]) -> dict[Tensor, int]:
    """A number for each node; equal nodes of graphs that share `table` have the same."""
    found: dict[Tensor, int] = {}
    given = {t: place for place, t in enumerate(graph.inputs)}
    for t in dict.fromkeys((*graph.inputs, *graph.nodes)):
        key: Hashable
        if t in given:
            key = ("input", graph.names[t], t.shape, t.dtype.str)
        elif isinstance(t, Parameter):
            key = ("parameter", id(t))
        elif t.op is None:
            key = ("constant", t.shape, t.dtype.str, np.asarray(t._value).tobytes())
        else:
            key = (t.op, frozen(t.attrs), *(found[i] for i in t.inputs))
        found[t] = table.setdefault(key, len(table))
    return found


def diff(before: Graph, after: Graph, context: int = 3) -> str:
    """What changed from one graph to another, as a unified diff of their programs; "" if nothing did.

    Nodes that are in both have the name of the first in both, so a line differs only if the node does.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> g = gn.Graph([x], gn.exp(x) * 1.0 + gn.exp(x))
    >>> print(diff(g, g.simplify()))
    --- before
    +++ after
    @@ -1,6 +1,4 @@
     graph(x: float32[2]) -> float32[2]
       t0: float32[2] = exp(x)
    -  t1: float32[2] = multiply(t0, 1.0)
    -  t2: float32[2] = exp(x)
    -  t3: float32[2] = add(t1, t2)
    -  return t3
    +  t4: float32[2] = add(t0, t0)
    +  return t4
    """
    table: dict[Hashable, int] = {}
    one, other = fingerprints(before, table), fingerprints(after, table)
    free: dict[int, list[str]] = {}
    for t, number in one.items():
        free.setdefault(number, []).append(before.names[t])
    taken = set(before.names.values())
    names: dict[Tensor, str] = {}
    fresh = 0
    for t, own in after.names.items():
        same = free.get(other[t])
        if same:
            name = same.pop(0)
        else:
            name = own
            while name in taken:
                name = f"t{fresh}"
                fresh += 1
        taken.add(name)
        names[t] = name
    # Without the columns: a longer line must not change the others.
    old, new = (re.sub(r" {2,}# ", "  # ", text).split("\n") for text in (before.program(), after.program(names)))
    return "\n".join(difflib.unified_diff(old, new, "before", "after", lineterm="", n=context))


def compare(
    before: Graph,
    after: Graph,
    path: Any = None,
    *,
    labels: tuple[str, str] = ("before", "after"),
    rankdir: str = "TB",
    legend: bool = True,
    engine: str = "auto",
    timeout: float | None = None,
    **options: Any,
) -> Picture:
    """A picture of two graphs side by side, say before and after a pass; what only one has is marked.

    Options as for `draw`.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> g = gn.Graph([x], gn.exp(x) * 1.0)
    >>> picture = gn.viz.compare(g, g.simplify(), engine="builtin")
    >>> [(n.lines[0], n.mark) for n in picture.scene.nodes if n.kind == "op"]
    [('exp', ''), ('multiply', 'gone'), ('exp', '')]
    """
    return drawn(lambda: compare_scene(before, after, labels, **options), path, rankdir, legend, engine, timeout)


def compare_scene(before: Graph, after: Graph, labels: tuple[str, str] = ("before", "after"), **options: Any) -> Scene:
    """The scene of two graphs, each in a box."""
    table: dict[Hashable, int] = {}
    prints = [fingerprints(g, table) for g in (before, after)]
    options.setdefault("title", before.name or "graph")
    options.setdefault("fold", False)
    title = options.pop("title")
    whole = Scene(one_line(title, 120))
    for side, (graph, label, mark) in enumerate(zip((before, after), labels, ("gone", "new"), strict=True)):
        own, others = prints[side], set(prints[1 - side].values())

        def marked(
            node: Node,
            tensors: Sequence[Tensor],
            own: dict[Tensor, int] = own,
            others: set[int] = others,
            mark: str = mark,
        ) -> None:
            if any(own[t] not in others for t in tensors):
                node.mark = mark

        scene = scene_of(graph, overlays=[marked], title=label, **options)
        _put(whole, scene, f"{one_line(label)}: {len(graph)} nodes", "ab"[side])
    return whole


def _put(whole: Scene, part: Scene, label: str, letter: str) -> None:
    """Add a scene as a box, with ids of its own."""
    outer = Box(f"{letter}_box", label, None, kind="graph")
    whole.boxes.append(outer)
    for b in part.boxes:
        around = f"{letter}_{b.parent}" if b.parent is not None else outer.id
        of = f"{letter}_{b.of}" if b.of is not None else None
        whole.boxes.append(Box(f"{letter}_{b.id}", b.label, around, b.gradient, of, b.kind, b.tooltip))
    for n in part.nodes:
        n.id, n.box = f"{letter}_{n.id}", f"{letter}_{n.box}" if n.box is not None else outer.id
        whole.nodes.append(n)
    for e in part.edges:
        whole.edges.append(Edge(f"{letter}_{e.tail}", f"{letter}_{e.head}", e.label, e.tie, e.argument))
    for line in part.heading[1:]:
        whole.say(f"{label.split(':')[0]}: {line}")
    whole.heat = whole.heat or part.heat
