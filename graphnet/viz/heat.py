"""Time and memory of nodes as colour, from white to orange."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from graphnet.graph import Graph
from graphnet.node import Tensor
from graphnet.viz.scene import Node, Scene


class Heat:
    """`amounts` by tensor; a node has the sum of its tensors', and its share of the largest sum as heat."""

    def __init__(self, what: str, amounts: Mapping[Tensor, float], total: float | None = None):
        if what not in ("time", "memory"):
            raise ValueError(f"heat is 'time' or 'memory'; received {what!r}")
        self.what = what
        self.amounts = amounts
        self.total = sum(amounts.values()) if total is None else total
        self._found: list[tuple[Node, float]] = []

    def overlay(self, node: Node, tensors: Sequence[Tensor]) -> None:
        """Write the amount and its share on a node."""
        own = [self.amounts[t] for t in tensors if t in self.amounts]
        if not own:
            return
        amount = math.fsum(own)
        share = f" ({amount / self.total:.0%})" if self.what == "time" and amount >= self.total / 200 > 0 else ""
        node.lines.append((seconds_text if self.what == "time" else bytes_text)(amount) + share)
        node.data["seconds" if self.what == "time" else "heat bytes"] = amount
        self._found.append((node, amount))

    def explain(self, scene: Scene) -> None:
        """Colour the nodes, now that the largest amount is known."""
        if not self._found:
            return
        most = max(amount for _, amount in self._found)
        for node, amount in self._found:
            node.heat = amount / most if most else 0.0
        text = seconds_text if self.what == "time" else bytes_text
        scene.heat = (self.what, text(min(a for _, a in self._found)), text(most))


def heat_of(graph: Graph, heat: str | None, profile: Any, seconds: Mapping[Tensor, float]) -> Heat:
    """What is asked for: of a plan's profile, of a run, or the bytes of every value."""
    if profile is not None:
        by_node = profile.by_node()
        if not any(t in by_node for t in graph.nodes):
            raise ValueError(
                "this profile is of another graph: a plan runs a graph of its own. Use plan.draw(profile=profile), or "
                "profile.graph.draw(profile=profile)"
            )
        place = 1 if heat == "memory" else 0
        return Heat(heat or "time", {t: float(pair[place]) for t, pair in by_node.items()})
    if heat == "memory":
        return Heat("memory", {t: float(t.nbytes) for t in graph.nodes})
    return Heat(heat or "time", seconds)


def seconds_text(seconds: float) -> str:
    """A time in the unit that suits it.

    >>> seconds_text(1.25e-6), seconds_text(0.3)
    ('1.25 µs', '300 ms')
    """
    for unit, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 1e-9:.3g} ns"


def bytes_text(count: float) -> str:
    """Bytes in the unit that suits them.

    >>> bytes_text(12), bytes_text(2_048)
    ('12 B', '2 KB')
    """
    for unit, name in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:.0f} B"
