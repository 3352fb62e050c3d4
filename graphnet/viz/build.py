"""From a graph to a scene: what is shown, what is closed or folded because there is too much, and what joins it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphnet.apply import described
from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.mode import Region
from graphnet.node import Tensor
from graphnet.viz.scene import Box, Edge, Node, Scene, one_line
from graphnet.viz.visible import Builder, Path
from graphnet.viz.words import closed_node, count, plural, region_label, tensor_node

#: of many inputs, outputs or updates, how many are shown when there is too much
_FIRST, _LAST = 20, 4
#: nodes from which on "auto" folds blocks that repeat
_LONG = 100

#: adds to a node what is known about the tensors it stands for
Overlay = Callable[[Node, Sequence[Tensor]], None]


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
    dtypes: bool = True,
    names: bool | str = True,
    parameters: bool = True,
    fold: bool | str = "auto",
    paths: dict[Tensor, Path] | None = None,
    overlays: Sequence[Overlay] = (),
) -> Scene:
    """The scene of a graph.

    `depth` is how many levels of boxes are open: 0 closes every layer, None opens all, "auto" opens as many as keep the
    picture under `limit` nodes. If even closed boxes are more, the middle of the graph is folded into one node, as are
    the middle ones of many inputs and outputs. `fold` lets one of 3 or more equal blocks stand for all of them; "auto"
    does that where there are more than 100 nodes. What was hidden is said in the caption.

    `paths` are the boxes around each tensor, instead of its region; `overlays` add to the nodes.
    """
    if not isinstance(limit, int) or limit < 6:
        raise ValueError(f"limit is a number of nodes, 6 or more; received {limit!r}")
    if fold not in (True, False, "auto"):
        raise ValueError(f"fold is True, False or 'auto'; received {fold!r}")
    builder = Builder(graph, backward, shapes, dtypes, names, parameters, paths)
    level = builder.level(depth, limit)
    if fold is True or (fold == "auto" and depth is not None and builder.visible(level) > min(limit, _LONG)):
        builder.fold()
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
    box_of = _boxes(scene, builder)
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
                text = f"… {plural(counts.pop(group), group[1])} …"
                scene.nodes.append(Node(group[0], "folded", [text], text))
            continue
        ids[item] = f"n{number}"
        number += 1
        if isinstance(item, Region):
            around = builder.paths[builder.shown(members[item][0])][: level or 0]
            label = builder.repeats.names.get(item, "") if builder.repeats is not None else ""
            inside = _with_inlined(members[item], builder)
            node = closed_node(item, ids[item], inside, box_of(around), one_line(label, 60))
        else:
            node = tensor_node(item, ids[item], builder, box_of(builder.paths[item]))
        for overlay in overlays:
            overlay(node, members[item])
        scene.nodes.append(node)
    _edges(scene, builder, stands, ids)
    _outputs(scene, builder, stands, ids, folded)
    if number < len(builder.nodes):
        shown = number + len({i for i, _ in folded.values()})
        hints = ["depth=None"] if level is not None or folded else []
        hints += ["fold=False"] if builder.repeats is not None else []
        scene.caption = f"showing {count(shown)} of {plural(len(builder.nodes), 'node')}; {', '.join(hints)} for all"
    return scene


def _with_inlined(inside: list[Tensor], builder: Builder) -> list[Tensor]:
    """What is inside a closed box, with the parameters that are written into its ops."""
    own = {i: None for t in inside if t.op is not None for i in t.inputs if i in builder.inlined}
    return [*inside, *(i for i in own if isinstance(i, Parameter))]


def _boxes(scene: Scene, builder: Builder) -> Callable[[Path], str | None]:
    """The function that gives the id of the innermost box of a path, and makes the boxes on the way."""
    boxes: dict[Region, Box] = {}
    twins = builder.repeats.region_twin if builder.repeats is not None else {}
    names = builder.repeats.names if builder.repeats is not None else {}

    def box_of(path: Path) -> str | None:
        parent = None
        for r in path:
            if r not in boxes:
                origin: Any = r.attrs.get("of") if r.kind == "gradient" else None
                of = boxes.get(twins.get(origin, origin))
                label = one_line(names[r], 60) if r in names else region_label(r)
                own = Box(f"box{len(boxes)}", label, parent, r.kind == "gradient", of.id if of else None)
                if r.kind in ("kernel", "repeat") or r in names:
                    own.kind = "kernel" if r.kind == "kernel" else "repeat"
                own.tooltip = r.attrs.get("code", "")
                boxes[r] = own
                scene.boxes.append(own)
            parent = boxes[r].id
        return parent

    return box_of


def _edges(scene: Scene, builder: Builder, stands: dict[Tensor, Any], ids: dict[Any, str]) -> None:
    seen: set[tuple[str, str, str, str]] = set()
    ties: set[tuple[str, str]] = set()
    repeats = builder.repeats
    for t in sorted(builder.nodes, key=lambda t: builder.shown(t) is not t):
        head = ids[stands[t]]
        twin = builder.shown(t)
        own = stands[t] is twin and head.startswith("n")
        inputs = builder.inputs[t]
        whole = t.inputs if t.op is not None and t not in builder.given else ()
        # Where inputs can change places, edges need no argument names.
        ordered = own and t.op is not None and len(whole) > 1 and t.op.commutes is None
        for place, source in enumerate(whole):
            if source not in stands or (repeats is not None and repeats.parted(source, t)):
                continue
            tail = ids[stands[source]]
            if tail == head:
                continue
            label = builder.label(source)
            argument = ""
            if ordered and t.op is not None and len(inputs) > 1:
                argument = t.op.params[place] if place < len(t.op.params) else str(place)
            key = (tail, head, label, argument if twin is not t else "")
            if (tail, head, label, "") in seen and (not own or not tail.startswith("n") or twin is not t):
                continue
            seen.update((key, (tail, head, label, "")))
            scene.edges.append(Edge(tail, head, label, argument=argument))
        origin = t.gradient_of
        if origin is not None and origin in stands and twin is t:
            tail = ids[stands[origin]]
            if tail != head and (tail, head) not in ties:
                ties.add((tail, head))
                scene.edges.append(Edge(tail, head, tie=True))


def _outputs(
    scene: Scene,
    builder: Builder,
    stands: dict[Tensor, Any],
    ids: dict[Any, str],
    folded: dict[Any, tuple[str, str]],
) -> None:
    """The ends of the picture: outputs, and parameters that are assigned."""
    outputs = builder.graph.outputs
    alike: dict[Tensor, list[int]] = {}
    for place, t in enumerate(outputs):
        if t in stands and builder.repeats is not None and t in builder.repeats.group:
            alike.setdefault(builder.shown(t), []).append(place)
    for place, t in enumerate(outputs):
        places = alike.get(builder.shown(t), [place])
        if t in stands and place == places[0] and folded.get(stands[t], ("", ""))[0] != "more_outputs":
            label = "output" if len(outputs) == 1 else f"output {place}"
            if len(places) > 1:
                label = f"outputs {places[0]} … {places[-1]} × {len(places)}"
            scene.nodes.append(Node(f"out{place}", "output", [label], f"{label}: {described(t)}"))
            scene.edges.append(Edge(ids[stands[t]], f"out{place}", builder.label(t)))
    updates = [(place, p, t) for place, (p, t) in enumerate(builder.graph.updates) if t in stands]
    firsts = {builder.shown(t): place for place, _, t in reversed(updates)}
    folds = builder.repeats.group if builder.repeats is not None else {}
    updates = [(place, p, t) for place, p, t in updates if t not in folds or firsts[builder.shown(t)] == place]
    hidden = updates[_FIRST:-_LAST] if folded and len(updates) > _FIRST + _LAST + 1 else []
    left_out = {place for place, _, _ in hidden}
    for place, p, t in updates:
        tail = ids[stands[t]]
        if place in left_out:
            if place == hidden[0][0]:
                text = f"… {plural(len(hidden), 'more update')} …"
                scene.nodes.append(Node("more_updates", "folded", [text], text))
            if not any(e.tail == tail and e.head == "more_updates" for e in scene.edges):
                scene.edges.append(Edge(tail, "more_updates"))
            continue
        name = one_line(p.name or builder.names.get(p, "parameter"))
        scene.nodes.append(Node(f"up{place}", "output", [f"{name} ←"], f"{name} is assigned this: {described(t)}"))
        scene.edges.append(Edge(tail, f"up{place}", builder.label(t)))
