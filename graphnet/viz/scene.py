"""What a picture shows: a graph reduced to nodes, edges and nested boxes, before anybody decides where they go."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet.op import described
from graphnet.tensor import Parameter, Region, Tensor

if TYPE_CHECKING:
    from graphnet.graph import Graph

#: ops whose inputs can change places without changing the result: their edges need no argument names
_COMMUTATIVE = frozenset(
    [
        "add",
        "multiply",
        "maximum",
        "minimum",
        "fmax",
        "fmin",
        "equal",
        "not_equal",
        "logical_and",
        "logical_or",
        "logical_xor",
        "logaddexp",
        "hypot",
    ]
)


@dataclass
class Node:
    """A shape with a few lines of text. `kind` decides how it looks."""

    id: str
    kind: str
    lines: list[str]
    tooltip: str = ""
    box: str | None = None


@dataclass
class Edge:
    """An arrow with a label and, where order matters, the argument it is.

    A `tie` is dashed and joins a gradient to what it is the gradient of.
    """

    tail: str
    head: str
    label: str = ""
    tie: bool = False
    argument: str = ""

    @property
    def text(self) -> str:
        """Both in one line."""
        return ": ".join(filter(None, (self.argument, self.label)))


@dataclass
class Box:
    """A frame around nodes: a layer, a composite, or the gradients of one."""

    id: str
    label: str
    parent: str | None
    gradient: bool = False


@dataclass
class Scene:
    """All that a renderer needs."""

    title: str
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    caption: str = ""

    @property
    def kinds(self) -> list[str]:
        """The kinds that occur, in the order of the legend."""
        here = {n.kind for n in self.nodes}
        return [k for k in LOOKS if k in here]


#: kind: (meaning, shape, fill, border). Dark text on light fills is readable on any background.
LOOKS: dict[str, tuple[str, str, str, str]] = {
    "input": ("input", "oval", "#cfe8ff", "#2b6cb0"),
    "parameter": ("parameter", "folder", "#ffe8b8", "#b7791f"),
    "state": ("state", "folder", "#f3ecd8", "#8a7a4a"),
    "constant": ("constant", "note", "#ececec", "#7a7a7a"),
    "op": ("op", "box", "#ffffff", "#4a5568"),
    "region": ("layer or function, closed", "box3d", "#d9f2e3", "#2f855a"),
    "gradient": ("op of the gradient", "box", "#fde2ea", "#b83260"),
    "gradient region": ("gradient, closed", "box3d", "#fbd0de", "#b83260"),
    "folded": ("folded", "box", "#f7f7f7", "#9a9a9a"),
    "output": ("output", "oval", "#e3dcff", "#5a3fc0"),
}


def _count(n: int) -> str:
    return f"{n:,}"


def _short(value: Any, limit: int = 28) -> str:
    text = re.sub(r"\s+", " ", repr(value))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _path(t: Tensor) -> tuple[Region, ...]:
    return t.region.path if t.region is not None else ()


def _common(paths: list[tuple[Region, ...]]) -> tuple[Region, ...]:
    """The longest beginning that all have."""
    if not paths:
        return ()
    shared = []
    for level in zip(*paths, strict=False):
        if any(r is not level[0] for r in level):
            break
        shared.append(level[0])
    return tuple(shared)


class _Builder:
    def __init__(self, graph: Graph, backward: bool):
        self.graph = graph
        self.names = graph.names
        given = set(graph.inputs)
        self.given = given
        nodes = [t for t in graph.nodes if backward or t.gradient_of is None]
        keep = set(nodes)
        # A scalar constant is written into the op that uses it, as its text does.
        self.inlined = {
            t
            for t in nodes
            if t.op is None and t.shape == () and not t.is_symbolic and t not in given and not isinstance(t, Parameter)
        }
        self.nodes = [t for t in nodes if t not in self.inlined]
        self.inputs = {t: () if t in given else tuple(i for i in t.inputs if i in keep) for t in self.nodes}
        users: dict[Tensor, list[Tensor]] = {}
        for t in self.nodes:
            for i in self.inputs[t]:
                users.setdefault(i, []).append(t)
        self.used = users
        if not backward:
            # Leaves that only the gradient used.
            outputs = set(graph.outputs)
            self.nodes = [t for t in self.nodes if t.op is not None or t in users or t in outputs or t in given]
        self.paths = {t: _path(t) for t in self.nodes}
        for t in self.nodes:
            if t.op is None and t not in given:
                forward = [u for u in users.get(t, ()) if u.gradient_of is None] or users.get(t, [])
                self.paths[t] = _common([_path(u) for u in forward])

    def representative(self, t: Tensor, depth: int | None) -> Tensor | Region:
        """What stands for `t`: itself, or the closed box it is in."""
        path = self.paths[t]
        return t if depth is None or len(path) <= depth else path[depth]

    def visible(self, depth: int | None) -> int:
        return len({self.representative(t, depth) for t in self.nodes})

    def deepest(self) -> int:
        return max((len(p) for p in self.paths.values()), default=0)


def _attributes(t: Tensor, builder: _Builder) -> str:
    """The static arguments, and the numbers among the inputs, of an op."""
    parts = []
    if any(i in builder.inlined for i in t.inputs):
        parts.append(", ".join(f"{i._value.item():.6g}" if i in builder.inlined else "·" for i in t.inputs))
    for key, value in t.attrs.items():
        if value is not None and value is not False:
            parts.append(f"{key}={_short(value)}")
    return ", ".join(parts)


def _tooltip(t: Tensor, name: str) -> str:
    lines = [f"{name}: {described(t)}"]
    if t.op is not None:
        lines.append(f"op: {t.op.name}" + (f" ({t.op.doc.splitlines()[0]})" if t.op.doc else ""))
        if t.attrs:
            lines.append(", ".join(f"{k}={_short(v, 60)}" for k, v in t.attrs.items()))
    if t.region is not None:
        lines.append("in " + "/".join(r.name for r in t.region.path))
    if t.gradient_of is not None and t.gradient_of.op is not None:
        lines.append(f"gradient of {t.gradient_of.op.name}")
    if t.site is not None:
        lines.append(f"{t.site[0].rsplit('/', 1)[-1]}:{t.site[1]}")
    return "\n".join(lines)


def _plural(n: int, what: str) -> str:
    return f"{_count(n)} {what}{'' if n == 1 else 's'}"


def build(
    graph: Graph,
    depth: int | str | None = "auto",
    backward: bool = True,
    shapes: bool = True,
    limit: int = 300,
    title: str | None = None,
) -> Scene:
    """The scene of a graph.

    `depth` is how many levels of boxes are open: 0 closes every layer, None opens all, "auto" opens as many as keep the
    picture under `limit` nodes. If even closed boxes are more, the middle of the graph is folded into one node. What
    was hidden is said in the caption.
    """
    builder = _Builder(graph, backward)
    if depth == "auto":
        level: int | None = None
        if builder.visible(None) > limit:
            level = builder.deepest()
            while level > 0 and builder.visible(level) > limit:
                level -= 1
    elif depth is None or (isinstance(depth, int) and depth >= 0):
        level = depth  # type: ignore[assignment]
    else:
        raise ValueError(f"depth is a number of open levels, None for all, or 'auto'; received {depth!r}")
    stands = {t: builder.representative(t, level) for t in builder.nodes}
    order = list(dict.fromkeys(stands[t] for t in builder.nodes))
    total = len(builder.nodes)
    shown = len(order)
    folded: set[Any] = set()
    if depth == "auto" and shown > limit:
        half = limit // 6
        middle = order[half : len(order) - half]
        pinned = {stands[t] for t in (*graph.inputs, *graph.outputs) if t in stands}
        folded = {item for item in middle if item not in pinned}
        shown = len(order) - len(folded) + 1
    scene = Scene(title if title is not None else graph.name or "graph")
    ids: dict[Any, str] = {}
    boxes: dict[Region, str] = {}

    def box_of(path: tuple[Region, ...]) -> str | None:
        parent = None
        for r in path:
            if r not in boxes:
                boxes[r] = f"box{len(boxes)}"
                label = r.name if r.kind != "gradient" else f"gradient of {r.name}"
                scene.boxes.append(Box(boxes[r], label, parent, r.kind == "gradient"))
            parent = boxes[r]
        return parent

    members: dict[Any, list[Tensor]] = {}
    for t in builder.nodes:
        members.setdefault(stands[t], []).append(t)
    fold_id = None
    for item in order:
        if item in folded:
            if fold_id is None:
                fold_id = "folded"
                count = sum(len(members[i]) for i in folded)
                scene.nodes.append(Node(fold_id, "folded", [f"… {_plural(count, 'more node')} …"]))
            ids[item] = fold_id
            continue
        ids[item] = f"n{len(ids)}" if not folded or fold_id is None else f"m{len(ids)}"
        if isinstance(item, Region):
            inside = members[item]
            ops = sum(t.op is not None for t in inside)
            numbers = sum(t.size for t in inside if isinstance(t, Parameter))
            label = item.name if item.kind != "gradient" else f"gradient of {item.name}"
            lines = [label, _plural(ops, "op") + (f", {_plural(numbers, 'parameter')}" if numbers else "")]
            if item.kind not in (item.name, "gradient"):
                lines[0] = f"{item.name} ({item.kind})"
            kind = "gradient region" if item.kind == "gradient" else "region"
            scene.nodes.append(Node(ids[item], kind, lines, "\n".join(lines), box_of(item.path[:-1])))
        else:
            scene.nodes.append(_node(item, ids[item], builder, box_of(builder.paths[item])))
    _edges(scene, builder, stands, ids, shapes)
    names = builder.names
    for place, t in enumerate(graph.outputs):
        if t not in ids and t not in stands:
            continue
        label = "output" if len(graph.outputs) == 1 else f"output {place}"
        scene.nodes.append(Node(f"out{place}", "output", [label], f"{label}: {described(t)}"))
        scene.edges.append(Edge(ids[stands[t]], f"out{place}", described(t) if shapes else ""))
    for place, (p, t) in enumerate(graph.updates):
        if t in stands:
            scene.nodes.append(Node(f"up{place}", "output", [f"{names.get(p, p.name or 'parameter')} ←"], "assigned"))
            scene.edges.append(Edge(ids[stands[t]], f"up{place}", described(t) if shapes else ""))
    if shown < total:
        scene.caption = f"showing {_count(shown)} of {_plural(total, 'node')}; depth=None for all"
    return scene


def _node(t: Tensor, node_id: str, builder: _Builder, box: str | None) -> Node:
    name = builder.names[t]
    if t in builder.given:
        kind, lines = "input", [name, described(t)]
    elif isinstance(t, Parameter):
        kind = "parameter" if t.requires_grad else "state"
        lines = [t.name or name, described(t) + (f" = {_count(t.size)}" if t.size > 1 and t.ndim != 1 else "")]
    elif t.op is None:
        value = np.asarray(t._value)
        text = _short(value.tolist()) if value.size <= 4 else described(t)
        kind, lines = "constant", [t.name or "constant", text]
    else:
        kind = "gradient" if t.gradient_of is not None else "op"
        lines = [t.op.name]
        extra = _attributes(t, builder)
        if t.name:
            lines[0] = f"{t.name} = {t.op.name}"
        if extra:
            lines.append(extra if len(extra) <= 40 else extra[:39] + "…")
    return Node(node_id, kind, lines, _tooltip(t, name), box)


def _edges(scene: Scene, builder: _Builder, stands: dict[Tensor, Any], ids: dict[Any, str], shapes: bool) -> None:
    seen: dict[tuple[str, str, str], None] = {}
    ties: dict[tuple[str, str], None] = {}
    for t in builder.nodes:
        head = ids[stands[t]]
        own = stands[t] is t
        inputs = builder.inputs[t]
        ordered = own and t.op is not None and len(inputs) > 1 and t.op.name not in _COMMUTATIVE
        for place, source in enumerate(inputs):
            if source in builder.inlined:
                continue
            tail = ids[stands[source]]
            if tail == head:
                continue
            label = described(source) if shapes else ""
            argument = ""
            if ordered and t.op is not None:
                argument = t.op.params[place] if place < len(t.op.params) else str(place)
            key = (tail, head, label)
            if key in seen and not own:
                continue
            seen[key] = None
            scene.edges.append(Edge(tail, head, label, argument=argument))
        origin = t.gradient_of
        if origin is not None and origin in stands:
            tail = ids[stands[origin]]
            if tail != head and (tail, head) not in ties:
                ties[(tail, head)] = None
                scene.edges.append(Edge(tail, head, tie=True))
