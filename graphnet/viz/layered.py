"""One flat graph in layers: which layer, which order within it, which place across. The core of our own layout.

The steps of Sugiyama, Tagawa and Toda ("Methods for visual understanding of hierarchical system structures", 1981):
ranks by longest paths, orders by barycentres, places by averaging with neighbours. Everything is said in two
directions, *along* the flow and *across* it, so that a picture can run down, up or to the right.
"""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

Key = Hashable


@dataclass(slots=True)
class Item:
    """The room that something takes: across the flow on both sides of its anchor, and along the flow."""

    left: float
    right: float
    size: float


@dataclass(slots=True)
class Link:
    """From one item to one in the next layer, with the places of its ends beside the items' anchors."""

    tail: Key
    head: Key
    out: float = 0.0
    into: float = 0.0
    weight: float = 1.0


def back_links(items: Iterable[Key], pairs: Sequence[tuple[Key, Key]]) -> set[int]:
    """The places in `pairs` of links that close a cycle when the graph is walked depth first: none in most graphs."""
    after: dict[Key, list[tuple[int, Key]]] = {}
    for place, (a, b) in enumerate(pairs):
        after.setdefault(a, []).append((place, b))
    found = set()
    state: dict[Key, int] = {}
    for root in items:
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(after.get(root, ())))]
        while stack:
            node, rest = stack[-1]
            for place, b in rest:
                if state.get(b) == 1:
                    found.add(place)
                elif b not in state:
                    state[b] = 1
                    stack.append((b, iter(after.get(b, ()))))
                    break
            else:
                state[node] = 2
                stack.pop()
    return found


def longest_paths(items: Sequence[Key], pairs: Iterable[tuple[Key, Key]]) -> tuple[dict[Key, int], list[Key]]:
    """The length of the longest path to each item, and the items that lie on or behind a cycle."""
    after: dict[Key, list[Key]] = {i: [] for i in items}
    waiting = dict.fromkeys(items, 0)
    for a, b in pairs:
        after[a].append(b)
        waiting[b] += 1
    rank = dict.fromkeys(items, 0)
    ready = [i for i in items if waiting[i] == 0]
    for node in ready:
        for b in after[node]:
            rank[b] = max(rank[b], rank[node] + 1)
            waiting[b] -= 1
            if waiting[b] == 0:
                ready.append(b)
    return rank, [i for i in items if waiting[i] > 0]


def _crossings(layers: list[list[Key]], down: dict[Key, list[Link]], position: dict[Key, float]) -> int:
    """How many pairs of links between neighbouring layers cross."""
    total = 0
    for layer in layers[:-1]:
        ends: list[float] = []
        for node in layer:
            heads = sorted(position[k.head] + k.into * 1e-6 for k in down[node])
            for h in heads:
                total += len(ends) - bisect_left(ends, h + 1e-9)
            for h in heads:
                insort(ends, h)
    return total


def put_in_order(layers: list[list[Key]], links: Sequence[Link], first: frozenset[Key], deadline: float) -> None:
    """Reorder each layer so that few links cross, by barycentres, in place. Items in `first` stay at the front.

    Of the orders met on the way the best is kept; at `deadline` (of `time.monotonic`) the best so far.
    """
    down: dict[Key, list[Link]] = {n: [] for layer in layers for n in layer}
    up: dict[Key, list[Link]] = {n: [] for layer in layers for n in layer}
    for k in links:
        down[k.tail].append(k)
        up[k.head].append(k)
    position = {n: float(i) for layer in layers for i, n in enumerate(layer)}
    count = len(links) <= 20_000
    sweeps = 24 if len(links) <= 2_000 else 8
    best = _crossings(layers, down, position) if count else None
    kept = [list(layer) for layer in layers]
    for sweep in range(sweeps):
        if best == 0 or time.monotonic() > deadline:
            break
        below = sweep % 2 == 0
        for layer in layers if below else layers[::-1]:
            if len(layer) < 2:
                continue
            wanted: dict[Key, float] = {}
            for n in layer:
                near = up[n] if below else down[n]
                if n in first:
                    wanted[n] = -1e18
                elif not near:
                    wanted[n] = position[n]
                elif below:
                    # The places of ports break ties: what feeds the first argument stands further left.
                    wanted[n] = sum(position[k.tail] + k.out * 1e-3 for k in near) / len(near)
                else:
                    wanted[n] = sum(position[k.head] + k.into * 1e-3 for k in near) / len(near)
            layer.sort(key=wanted.__getitem__)
            for i, node in enumerate(layer):
                position[node] = float(i)
        if best is None:
            kept = [list(layer) for layer in layers]
            continue
        now = _crossings(layers, down, position)
        if now < best:
            best, kept = now, [list(layer) for layer in layers]
    layers[:] = kept


def spread(
    layers: list[list[Key]], items: dict[Key, Item], links: Sequence[Link], gap: float, deadline: float
) -> dict[Key, float]:
    """The place across of every item: near those it is linked with, in its layer's order, never overlapping."""
    x: dict[Key, float] = {}
    for layer in layers:
        edge = 0.0
        for node in layer:
            x[node] = edge + items[node].left
            edge += items[node].left + items[node].right + gap
        for node in layer:
            x[node] -= edge / 2
    near: dict[Key, tuple[list[tuple[Key, float, float]], list[tuple[Key, float, float]]]] = {n: ([], []) for n in x}
    for k in links:
        near[k.head][0].append((k.tail, k.out - k.into, k.weight))
        near[k.tail][1].append((k.head, k.into - k.out, k.weight))
    sweeps = 12 if len(links) <= 5_000 else 6
    for sweep in range(sweeps + 1):
        if time.monotonic() > deadline:
            break
        both = sweep == sweeps
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            wanted, weights = [], []
            for n in layer:
                ups, downs = near[n]
                about = ups + downs if both else (ups if sweep % 2 == 0 else downs)
                weight = sum([w for _, _, w in about])
                if weight:
                    wanted.append(sum([(x[m] + shift) * w for m, shift, w in about]) / weight)
                    weights.append(weight)
                else:
                    wanted.append(x[n])
                    weights.append(0.05)
            for node, place in zip(layer, _spaced(layer, wanted, weights, items, gap), strict=True):
                x[node] = place
    return x


def _spaced(
    layer: list[Key], wanted: list[float], weights: list[float], items: dict[Key, Item], gap: float
) -> list[float]:
    """Places as near to those wanted as the gaps allow (least squares): runs that would overlap share one mean."""
    offsets, offset, before = [], 0.0, None
    for n in layer:
        if before is not None:
            offset += items[before].right + gap + items[n].left
        offsets.append(offset)
        before = n
    # Pool adjacent violators on the places with the offsets taken off, which must only not decrease.
    runs: list[tuple[float, float, int]] = []
    for place, offset, weight in zip(wanted, offsets, weights, strict=True):
        total, mass, count = (place - offset) * weight, weight, 1
        while runs and runs[-1][0] / runs[-1][1] > total / mass:
            t, m, c = runs.pop()
            total, mass, count = total + t, mass + m, count + c
        runs.append((total, mass, count))
    places: list[float] = []
    for total, mass, count in runs:
        for _ in range(count):
            places.append(total / mass + offsets[len(places)])
    return places
