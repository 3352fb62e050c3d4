"""Our own layered layout: where nodes go when no Graphviz is at hand.

The steps of Sugiyama, Tagawa and Toda ("Methods for visual understanding of hierarchical system structures", 1981):
ranks by longest path, dummy nodes on long edges, orders by barycentres, then places by averaging with neighbours.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from graphnet.viz.scene import Scene

LINE, CHARACTER, PAD_X, PAD_Y = 14.0, 6.4, 11.0, 7.0
GAP_X, GAP_Y = 22.0, 40.0


@dataclass
class Place:
    """The centre and size of a node."""

    x: float
    y: float
    width: float
    height: float


@dataclass
class Layout:
    """Where everything is: nodes by id, edges as points to draw a curve through, boxes as (x0, y0, x1, y1)."""

    width: float
    height: float
    places: dict[str, Place] = field(default_factory=dict)
    curves: list[tuple[int, list[tuple[float, float]]]] = field(default_factory=list)
    boxes: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)


def _ranks(ids: list[str], edges: list[tuple[str, str]], group: dict[str, str]) -> dict[str, int]:
    """The length of the longest path to each node; then sources move down, next to what they feed.

    An edge into a box spans two ranks: the free row is for the leaves of that box, beside which nothing else stands.
    """

    def span(a: str, b: str) -> int:
        return 2 if group[b] and group[a] != group[b] else 1

    after: dict[str, list[str]] = {i: [] for i in ids}
    waiting = dict.fromkeys(ids, 0)
    for a, b in edges:
        after[a].append(b)
        waiting[b] += 1
    has_input = {b for _, b in edges}
    rank = dict.fromkeys(ids, 0)
    ready = [i for i in ids if waiting[i] == 0]
    for node in ready:
        for b in after[node]:
            rank[b] = max(rank[b], rank[node] + span(node, b))
            waiting[b] -= 1
            if waiting[b] == 0:
                ready.append(b)
    for node in ids:
        if node not in has_input and after[node]:
            rank[node] = min(rank[b] - span(node, b) for b in after[node])
    lowest = min(rank.values(), default=0)
    return {node: level - lowest for node, level in rank.items()}


def arrange(scene: Scene, sweeps: int = 6) -> Layout:
    """A layout of the scene, from top to bottom; the same scene gives the same layout."""
    ids = [n.id for n in scene.nodes]
    flows = [(i, e) for i, e in enumerate(scene.edges) if not e.tie]
    group = {n.id: n.box or "" for n in scene.nodes}
    rank = _ranks(ids, [(e.tail, e.head) for _, e in flows], group)
    size = {
        n.id: (max(map(len, n.lines)) * CHARACTER + 2 * PAD_X, len(n.lines) * LINE + 2 * PAD_Y) for n in scene.nodes
    }
    layers: list[list[str]] = [[] for _ in range(max(rank.values(), default=0) + 1)]
    for node in ids:
        layers[rank[node]].append(node)
    chains: list[tuple[int, list[str]]] = []
    up: dict[str, list[str]] = {i: [] for i in ids}
    down: dict[str, list[str]] = {i: [] for i in ids}
    for i, e in flows:
        chain = [e.tail]
        for level in range(rank[e.tail] + 1, rank[e.head]):
            dummy = f"\0{i}.{level}"
            layers[level].append(dummy)
            size[dummy] = (8.0, 0.0)
            up[dummy], down[dummy] = [], []
            chain.append(dummy)
        chain.append(e.head)
        for a, b in itertools.pairwise(chain):
            down[a].append(b)
            up[b].append(a)
        chains.append((i, chain))
    position = {node: float(i) for layer in layers for i, node in enumerate(layer)}
    for sweep in range(sweeps):
        order = layers if sweep % 2 == 0 else layers[::-1]
        near = up if sweep % 2 == 0 else down
        for layer in order:
            if len(layer) < 2:
                continue
            wanted = {n: sum(position[m] for m in near[n]) / len(near[n]) if near[n] else position[n] for n in layer}
            layer.sort(key=lambda n: wanted[n])
            for i, node in enumerate(layer):
                position[node] = float(i)
    x = _across(layers, size, up, down)
    heights = [max((size[n][1] for n in layer), default=0.0) for layer in layers]
    tops, y = [], 0.0
    for h in heights:
        tops.append(y + h / 2)
        y += h + GAP_Y
    result = Layout(0.0, y - GAP_Y)
    for level, layer in enumerate(layers):
        for node in layer:
            if not node.startswith("\0"):
                result.places[node] = Place(x[node], tops[level], *size[node])
    level_of = {n: level for level, layer in enumerate(layers) for n in layer}
    for i, chain in chains:
        first, last = result.places[chain[0]], result.places[chain[-1]]
        points = [(first.x, first.y + first.height / 2)]
        points += [(x[n], tops[level_of[n]]) for n in chain[1:-1]]
        points.append((last.x, last.y - last.height / 2))
        result.curves.append((i, points))
    for i, e in enumerate(scene.edges):
        if e.tie:
            start, end = result.places[e.tail], result.places[e.head]
            side = 1 if end.x >= start.x else -1
            ends = [(start.x + side * start.width / 2, start.y), (end.x - side * end.width / 2, end.y)]
            result.curves.append((i, ends))
    _frames(scene, result)
    _shifted(scene, result)
    return result


def _across(
    layers: list[list[str]],
    size: dict[str, tuple[float, float]],
    up: dict[str, list[str]],
    down: dict[str, list[str]],
) -> dict[str, float]:
    """Places from left to right: each layer moves towards its neighbours, keeping its order and its gaps."""
    x: dict[str, float] = {}
    for layer in layers:
        edge = 0.0
        for node in layer:
            x[node] = edge + size[node][0] / 2
            edge += size[node][0] + GAP_X
        for node in layer:
            x[node] -= edge / 2
    for sweep in range(8):
        near = up if sweep % 2 == 0 else down
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            wanted = [sum(x[m] for m in near[n]) / len(near[n]) if near[n] else x[n] for n in layer]
            for node, place in zip(layer, _spaced(layer, wanted, size), strict=True):
                x[node] = place
    return x


def _spaced(layer: list[str], wanted: list[float], size: dict[str, tuple[float, float]]) -> list[float]:
    """Places as near to those wanted as the gaps allow: runs that would overlap are set side by side on their mean."""
    runs: list[tuple[float, int, float]] = []  # (sum of wanted starts, count, width)
    offsets: list[float] = []
    for node, place in zip(layer, wanted, strict=True):
        width = size[node][0] + GAP_X
        total, count, wide = place - width / 2, 1, width
        offsets.append(0.0)
        while runs and runs[-1][0] / runs[-1][1] + runs[-1][2] > total / count:
            before, n, span = runs.pop()
            # Starts are counted as if the run began where its first node does.
            total += before - count * span
            count += n
            wide += span
        runs.append((total, count, wide))
    places: list[float] = []
    index = 0
    for total, count, _ in runs:
        edge = total / count
        for _ in range(count):
            width = size[layer[index]][0] + GAP_X
            places.append(edge + width / 2)
            edge += width
            index += 1
    return places


def _frames(scene: Scene, result: Layout) -> None:
    """A frame around each box's nodes, where it would not take in a node of another box."""
    parent = {b.id: b.parent for b in scene.boxes}
    members: dict[str, list[str]] = {b.id: [] for b in scene.boxes}
    for node in scene.nodes:
        box = node.box
        while box is not None:
            members[box].append(node.id)
            box = parent[box]
    depth: dict[str, int] = {}
    for b in reversed(scene.boxes):
        inner = [depth[c.id] for c in scene.boxes if c.parent == b.id and c.id in depth]
        depth[b.id] = 1 + max(inner, default=0)
    for b in scene.boxes:
        inside = [result.places[n] for n in members[b.id]]
        if not inside:
            continue
        margin = 6.0 + 4.0 * depth[b.id]
        x0 = min(p.x - p.width / 2 for p in inside) - margin
        x1 = max(p.x + p.width / 2 for p in inside) + margin
        y0 = min(p.y - p.height / 2 for p in inside) - margin - 8
        y1 = max(p.y + p.height / 2 for p in inside) + margin
        own = set(members[b.id])
        foreign = any(
            p.x + p.width / 2 > x0 and p.x - p.width / 2 < x1 and p.y + p.height / 2 > y0 and p.y - p.height / 2 < y1
            for n, p in result.places.items()
            if n not in own
        )
        if not foreign:
            result.boxes[b.id] = (x0, y0, x1, y1)


def _shifted(scene: Scene, result: Layout) -> None:
    """Everything moved into a canvas that begins at (0, 0), with a margin."""
    margin = 16.0
    xs = [v for p in result.places.values() for v in (p.x - p.width / 2, p.x + p.width / 2)]
    xs += [v for b in result.boxes.values() for v in (b[0], b[2])]
    xs += [x for _, points in result.curves for x, _ in points]
    xs += [points[0][0] + len(scene.edges[i].label) * 5.0 for i, points in result.curves]
    ys = [v for p in result.places.values() for v in (p.y - p.height / 2, p.y + p.height / 2)]
    ys += [v for b in result.boxes.values() for v in (b[1], b[3])]
    left, top = min(xs, default=0.0) - margin, min(ys, default=0.0) - margin
    for p in result.places.values():
        p.x -= left
        p.y -= top
    result.curves = [(i, [(x - left, y - top) for x, y in points]) for i, points in result.curves]
    result.boxes = {k: (a - left, b - top, c - left, d - top) for k, (a, b, c, d) in result.boxes.items()}
    result.width = max(xs, default=0.0) - left + margin
    result.height = max(ys, default=0.0) - top + margin
