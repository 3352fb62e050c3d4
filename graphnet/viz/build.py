"""From a graph to a scene: what is shown, what is closed or folded because there is too much, and in which words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet.op import described
from graphnet.tensor import Parameter, Region, Tensor
from graphnet.viz.scene import Box, Edge, Node, Scene, one_line

if TYPE_CHECKING:
    from graphnet.graph import Graph

#: ops whose inputs can change places without changing the result: their edges need no argument names
_COMMUTATIVE = frozenset(
    "add multiply maximum minimum fmax fmin equal not_equal logical_and logical_or logical_xor logaddexp hypot".split()
)
#: of many inputs or outputs, how many are shown when there is too much
_FIRST, _LAST = 20, 4


def _count(n: int) -> str:
    return f"{n:,}"


def _plural(n: int, what: str) -> str:
    return f"{_count(n)} {what}{'' if n == 1 else 's'}"


def _short(value: Any, limit: int = 28) -> str:
    if isinstance(value, (tuple, list)) and len(value) > 12:
        inner = ", ".join(_short(v, 12) for v in value[:4])
        return one_line(f"({inner}, … {len(value)} in all)", limit)
    return one_line(repr(value), limit)


def _path(t: Tensor) -> tuple[Region, ...]:
    return t.region.path if t.region is not None else ()


def _region_label(r: Region) -> str:
    return one_line(r.name if r.kind != "gradient" else f"gradient of {r.name}")


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
    """The nodes of a graph that can be drawn, with their inputs, users and boxes."""

    def __init__(self, graph: Graph, backward: bool):
        self.graph = graph
        self.names = graph.names
        self.given = given = set(graph.inputs)
        # All inputs, in their order: one that nothing uses is part of the program too.
        nodes = [*graph.inputs, *(t for t in graph.nodes if t not in given and (backward or t.gradient_of is None))]
        keep = set(nodes)
        # A scalar constant is written into the op that uses it, as its text does.
        results = {*graph.outputs, *(t for _, t in graph.updates)}
        self.inlined = {
            t
            for t in nodes
            if t.op is None
            and t.shape == ()
            and not t.is_symbolic
            and t not in given
            and t not in results
            and not isinstance(t, Parameter)
        }
        self.nodes = [t for t in nodes if t not in self.inlined]
        self.inputs = {t: () if t in given else tuple(i for i in t.inputs if i in keep) for t in self.nodes}
        users: dict[Tensor, list[Tensor]] = {}
        for t in self.nodes:
            for i in self.inputs[t]:
                users.setdefault(i, []).append(t)
        if not backward:
            # Leaves that only the gradient used.
            self.nodes = [t for t in self.nodes if t.op is not None or t in users or t in results or t in given]
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

    def level(self, depth: int | str | None, limit: int) -> int | None:
        """How many levels of boxes are open."""
        if depth != "auto":
            if depth is not None and (not isinstance(depth, int) or isinstance(depth, bool) or depth < 0):
                raise ValueError(f"depth is a number of open levels, None for all, or 'auto'; received {depth!r}")
            return depth
        if self.visible(None) <= limit:
            return None
        level = max((len(p) for p in self.paths.values()), default=0)
        while level > 0 and self.visible(level) > limit:
            level -= 1
        return level


def _folded(order: list[Any], ends: tuple[list[Any], list[Any]], limit: int) -> dict[Any, tuple[str, str]]:
    """For what is left out of a picture that would have too much: the id of the node it is folded into, and its kind.

    The first and last of the inputs and of the outputs stay, and of the rest the beginning and the end.
    """
    folded: dict[Any, tuple[str, str]] = {}
    pinned = set()
    for items, group, what in ((ends[0], "more_inputs", "more input"), (ends[1], "more_outputs", "more output")):
        if len(items) > _FIRST + _LAST + 1:
            folded.update(dict.fromkeys(items[_FIRST:-_LAST], (group, what)))
        pinned.update(items)
    rest = [item for item in order if item not in folded]
    if len(rest) > limit:
        half = limit // 6
        middle = [item for item in rest[half : len(rest) - half] if item not in pinned]
        folded.update(dict.fromkeys(middle, ("more_nodes", "more node")))
    return folded


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
    picture under `limit` nodes. If even closed boxes are more, the middle of the graph is folded into one node, as are
    the middle ones of many inputs and outputs. What was hidden is said in the caption.
    """
    if not isinstance(limit, int) or limit < 6:
        raise ValueError(f"limit is a number of nodes, 6 or more; received {limit!r}")
    builder = _Builder(graph, backward)
    level = builder.level(depth, limit)
    stands = {t: builder.representative(t, level) for t in builder.nodes}
    order = list(dict.fromkeys(stands[t] for t in builder.nodes))
    folded: dict[Any, tuple[str, str]] = {}
    if depth == "auto" and len(order) > limit:
        ins = list(dict.fromkeys(t for t in graph.inputs if stands.get(t) is t))
        taken = set(ins)
        outs = list(dict.fromkeys(stands[t] for t in graph.outputs if t in stands and stands[t] not in taken))
        folded = _folded(order, (ins, outs), limit)
    scene = Scene(one_line(title if title is not None else graph.name or "graph", 120))
    box_of = _boxes(scene)
    members: dict[Any, list[Tensor]] = {}
    for t in builder.nodes:
        members.setdefault(stands[t], []).append(t)
    counts: dict[tuple[str, str], int] = {}
    for item, group in folded.items():
        counts[group] = counts.get(group, 0) + len(members[item])
    ids: dict[Any, str] = {}
    number = 0
    for item in order:
        if item in folded:
            group = folded[item]
            ids[item] = group[0]
            if group in counts:
                text = f"… {_plural(counts.pop(group), group[1])} …"
                scene.nodes.append(Node(group[0], "folded", [text], text))
            continue
        ids[item] = f"n{number}"
        number += 1
        if isinstance(item, Region):
            scene.nodes.append(_closed(item, ids[item], members[item], box_of(item.path[:-1])))
        else:
            scene.nodes.append(_node(item, ids[item], builder, box_of(builder.paths[item])))
    _edges(scene, builder, stands, ids, shapes)
    _outputs(scene, builder, stands, ids, shapes, folded)
    if number < len(builder.nodes):
        shown = number + len({i for i, _ in folded.values()})
        scene.caption = f"showing {_count(shown)} of {_plural(len(builder.nodes), 'node')}; depth=None for all"
    return scene


def _boxes(scene: Scene) -> Any:
    """The function that gives the id of the innermost box of a path, and makes the boxes on the way."""
    boxes: dict[Region, Box] = {}

    def box_of(path: tuple[Region, ...]) -> str | None:
        parent = None
        for r in path:
            if r not in boxes:
                of = boxes.get(r.attrs.get("of")) if r.kind == "gradient" else None  # type: ignore[arg-type]
                own = f"box{len(boxes)}"
                boxes[r] = Box(own, _region_label(r), parent, r.kind == "gradient", of.id if of else None)
                scene.boxes.append(boxes[r])
            parent = boxes[r].id
        return parent

    return box_of


def _closed(r: Region, node_id: str, inside: list[Tensor], box: str | None) -> Node:
    """A closed box as one node."""
    ops = sum(t.op is not None for t in inside)
    numbers = sum(t.size for t in inside if isinstance(t, Parameter))
    lines = [_region_label(r), _plural(ops, "op") + (f", {_plural(numbers, 'parameter')}" if numbers else "")]
    if r.kind not in (r.name, "gradient"):
        lines[0] = f"{one_line(r.name)} ({one_line(r.kind)})"
    kind = "gradient region" if r.kind == "gradient" else "region"
    data = {"name": r.name, "region": [q.name for q in r.path], "nodes": len(inside), "ops": ops, "parameters": numbers}
    return Node(node_id, kind, lines, "\n".join(lines), box, data)


def _node(t: Tensor, node_id: str, builder: _Builder, box: str | None) -> Node:
    name = builder.names[t]
    called = one_line(t.name or name)
    inner = t.op is not None and t not in builder.given
    if t in builder.given:
        kind, lines = "input", [called, described(t)]
    elif isinstance(t, Parameter):
        kind = "parameter" if t.requires_grad else "state"
        lines = [called, described(t) + (f" = {_count(t.size)}" if t.size > 1 and t.ndim != 1 else "")]
    elif not inner:
        value = np.asarray(t._value) if not t.is_symbolic else None
        text = _short(value.tolist()) if value is not None and value.size <= 4 else described(t)
        kind, lines = "constant", [one_line(t.name or "constant"), text]
    else:
        kind = "gradient" if t.gradient_of is not None else "op"
        op = t.op.name if t.op is not None else ""
        lines = [f"{called} = {op}" if t.name else op]
        extra = _attributes(t, builder)
        if extra:
            lines.append(one_line(extra))
    data: dict[str, Any] = {
        "name": name,
        "op": t.op.name if inner and t.op is not None else None,
        "shape": list(t.shape),
        "dtype": str(t.dtype),
        "bytes": math.prod(t.shape) * t.dtype.itemsize,
        "attrs": {k: _short(v, 60) for k, v in t.attrs.items()} if inner else {},
        "region": [r.name for r in builder.paths[t]],
        "site": list(t.site) if t.site is not None else None,
        "gradient_of": builder.names.get(t.gradient_of) if t.gradient_of is not None else None,
    }
    return Node(node_id, kind, lines, _tooltip(t, called, inner), box, data)


def _attributes(t: Tensor, builder: _Builder) -> str:
    """The static arguments, and the numbers among the inputs, of an op."""
    parts = []
    if any(i in builder.inlined for i in t.inputs):
        parts.append(", ".join(_number(i) if i in builder.inlined else "·" for i in t.inputs))
    for key, value in t.attrs.items():
        if value is not None and value is not False:
            parts.append(f"{key}={_short(value)}")
    return ", ".join(parts)


def _number(t: Tensor) -> str:
    value = t._value.item()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _tooltip(t: Tensor, name: str, inner: bool) -> str:
    lines = [f"{name}: {described(t)}"]
    if inner and t.op is not None:
        lines.append(f"op: {t.op.name}" + (f" ({t.op.doc.splitlines()[0]})" if t.op.doc else ""))
        if t.attrs:
            lines.append(", ".join(f"{k}={_short(v, 60)}" for k, v in t.attrs.items()))
    if t.region is not None:
        lines.append("in " + "/".join(one_line(r.name) for r in t.region.path))
    if t.gradient_of is not None and t.gradient_of.op is not None:
        lines.append(f"gradient of {t.gradient_of.op.name}")
    if t.site is not None:
        lines.append(f"{t.site[0].replace(chr(92), '/').rsplit('/', 1)[-1]}:{t.site[1]}")
    return "\n".join(one_line(line, 200) for line in lines)


def _edges(scene: Scene, builder: _Builder, stands: dict[Tensor, Any], ids: dict[Any, str], shapes: bool) -> None:
    seen: set[tuple[str, str, str]] = set()
    ties: set[tuple[str, str]] = set()
    for t in builder.nodes:
        head = ids[stands[t]]
        own = stands[t] is t and head.startswith("n")
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
            if key in seen and (not own or not tail.startswith("n")):
                continue
            seen.add(key)
            scene.edges.append(Edge(tail, head, label, argument=argument))
        origin = t.gradient_of
        if origin is not None and origin in stands:
            tail = ids[stands[origin]]
            if tail != head and (tail, head) not in ties:
                ties.add((tail, head))
                scene.edges.append(Edge(tail, head, tie=True))


def _outputs(
    scene: Scene,
    builder: _Builder,
    stands: dict[Tensor, Any],
    ids: dict[Any, str],
    shapes: bool,
    folded: dict[Any, tuple[str, str]],
) -> None:
    """The ends of the picture: outputs, and parameters that are assigned."""
    outputs = builder.graph.outputs
    for place, t in enumerate(outputs):
        if t in stands and folded.get(stands[t], ("", ""))[0] != "more_outputs":
            label = "output" if len(outputs) == 1 else f"output {place}"
            scene.nodes.append(Node(f"out{place}", "output", [label], f"{label}: {described(t)}"))
            scene.edges.append(Edge(ids[stands[t]], f"out{place}", described(t) if shapes else ""))
    for place, (p, t) in enumerate(builder.graph.updates):
        if t in stands:
            name = one_line(p.name or builder.names.get(p, "parameter"))
            scene.nodes.append(Node(f"up{place}", "output", [f"{name} ←"], f"{name} is assigned this: {described(t)}"))
            scene.edges.append(Edge(ids[stands[t]], f"up{place}", described(t) if shapes else ""))
