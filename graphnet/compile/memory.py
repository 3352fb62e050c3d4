"""Where the arrays of a plan live: which nodes share a buffer, and for how long each is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from graphnet.tensor import Tensor


@dataclass
class Layout:
    """Buffers in bytes, the buffer of each node that has one, and what a plan holds at its peak."""

    sizes: list[int] = field(default_factory=list)
    buffer_of: dict[Tensor, int] = field(default_factory=dict)
    #: bytes that all values would take if none shared a buffer
    unshared: int = 0

    @property
    def total(self) -> int:
        """The bytes of all buffers together."""
        return sum(self.sizes)

    def arrays(self) -> dict[Tensor, np.ndarray]:
        """A view of its buffer for each node, in the node's shape and dtype."""
        raw = [np.empty(max(size, 1), np.uint8) for size in self.sizes]
        return {t: raw[place][: t.nbytes].view(t.dtype).reshape(t.shape) for t, place in self.buffer_of.items()}


def planned(
    order: Sequence[Tensor],
    buffered: set[Tensor],
    base: dict[Tensor, Tensor],
    in_place: set[Tensor],
    kept: set[Tensor],
) -> Layout:
    """Buffers for the nodes in `buffered`, which are computed in `order`.

    `base` maps a node that only looks at another's array to that other; a buffer is free again after the last node
    that reads it in any such form. Nodes in `in_place` may overwrite an input of theirs whose buffer is free after
    them. The buffers of `kept` are never given away.
    """
    last: dict[Tensor, int] = {}
    for place, node in enumerate(order):
        for t in node.inputs:
            last[base.get(t, t)] = place
    for t in kept:
        last[base.get(t, t)] = len(order)
    dying: dict[int, list[Tensor]] = {}
    for t, place in last.items():
        dying.setdefault(place, []).append(t)
    layout = Layout()
    free: dict[int, list[int]] = {}
    for place, node in enumerate(order):
        ending = {t: None for t in dying.get(place, ()) if t in layout.buffer_of}
        if node in buffered:
            layout.unshared += node.nbytes
            taken = None
            if node in in_place:
                for t in node.inputs:
                    alone = sum(base.get(i, i) is t for i in node.inputs) == sum(i is t for i in node.inputs)
                    if t in ending and t.shape == node.shape and t.dtype == node.dtype and alone:
                        taken = layout.buffer_of[t]
                        del ending[t]
                        break
            if taken is None and free.get(node.nbytes):
                taken = free[node.nbytes].pop()
            if taken is None:
                layout.sizes.append(node.nbytes)
                taken = len(layout.sizes) - 1
            layout.buffer_of[node] = taken
            if node not in last:
                ending[node] = None
        for t in ending:
            free.setdefault(layout.sizes[layout.buffer_of[t]], []).append(layout.buffer_of[t])
    return layout
