"""Several values in one flat array, as a loop or a function with a gradient of its own has them, and the parts of its
gradient, without the zeros that stand between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphnet.apply import apply
from graphnet.arrays import Spec
from graphnet.node import Tensor, constant
from graphnet.ops.index import _getitem, _scatter_add
from graphnet.ops.joining import concatenate
from graphnet.ops.shaping import astype, reshape


class Block(NamedTuple):
    """Where in a flat array a value lies: elements `start` to `stop`, in this shape."""

    start: int
    stop: int
    shape: tuple[int, ...]


def part(flat: Any, block: Block) -> Any:
    """One value of a flat array: a view of it."""
    if not isinstance(flat, Tensor):
        return flat[block.start : block.stop].reshape(block.shape)
    return reshape(_piece(flat, block.start, block.stop), block.shape)


def _piece(x: Tensor, start: int, stop: int) -> Tensor:
    piece: Tensor = apply(_getitem.op, (x,), {"index": (slice(start, stop, None),)})
    return piece


def parted(g: Any, blocks: Sequence[Block]) -> list[Any]:
    """The gradients of the blocks of a flat result from its own; None where it is known to be zero.

    In a graph, the gradient of a part is a piece put between zeros, and several of those are added up: the pieces are
    taken as they are.
    """
    if not isinstance(g, Tensor):
        views = [part(g, block) for block in blocks]
        return [view if view.any() else None for view in views]
    if not g.is_symbolic and not g.requires_grad:
        return [part(g, block) if g._value[block.start : block.stop].any() else None for block in blocks]
    found: list[Any] = [None] * len(blocks)
    for start, stop, piece in _pieces(g):
        for n, (low, high, shape) in enumerate(blocks):
            first, last = max(start, low), min(stop, high)
            if first >= last:
                continue
            own = piece if (first, last) == (start, stop) else _piece(piece, first - start, last - start)
            if (first, last) != (low, high):
                own = apply(
                    _scatter_add.op,
                    (own,),
                    {"shape": (high - low,), "index": (slice(first - low, last - low, None),)},
                )
            own = reshape(own, shape)
            found[n] = own if found[n] is None else found[n] + own
    return found


def _pieces(g: Tensor) -> list[tuple[int, int, Tensor]]:
    """Pieces of a flat gradient, each from an element to another, whose sum it is."""
    found: list[tuple[int, int, Tensor]] = []
    stack = [g]
    while stack:
        t = stack.pop()
        name = t.op.name if t.op is not None else ""
        if name == "add" and all(i.shape == t.shape and i.dtype == t.dtype for i in t.inputs):
            stack.extend(t.inputs)
            continue
        if name == "scatter_add" and len(t.inputs) == 1:
            index = t.attrs["index"]
            if len(index) == 1 and isinstance(index[0], slice) and index[0].step in (None, 1):
                start, stop, _ = index[0].indices(t.size)
                found.append((start, stop, t.inputs[0]))
                continue
        found.append((0, t.size, t))
    return found


class Packing:
    """Several values as one flat array of the widest dtype; one value as it is."""

    def __init__(self, ys: Sequence[Tensor | Spec]):
        self.specs = [(y.shape, y.dtype) for y in ys]
        self.dtype = np.result_type(*[y.dtype for y in ys])
        self.blocks: list[Block] = []
        start = 0
        for y in ys:
            self.blocks.append(Block(start, start + y.size, y.shape))
            start += y.size
        self.spec = Spec(ys[0].shape if len(ys) == 1 else (start,), self.dtype)

    def packed(self, ys: Sequence[Tensor]) -> Any:
        """The values as one: an array of arrays, a tensor of symbolic tensors."""
        if len(ys) == 1:
            return ys[0] if ys[0].is_symbolic else ys[0]._value
        if any(y.is_symbolic for y in ys):
            flat = [reshape(y, (-1,)) for y in ys]
            return concatenate([y if y.dtype == self.dtype else astype(y, self.dtype) for y in flat])
        return np.concatenate([y._value.reshape(-1) for y in ys], dtype=self.dtype)

    def unpacked(self, y: Tensor) -> list[Tensor]:
        """The values as parts of one node."""
        if len(self.specs) == 1:
            return [y]
        found = [part(y, block) for block in self.blocks]
        return [t if t.dtype == dtype else astype(t, dtype) for t, (_, dtype) in zip(found, self.specs, strict=True)]

    def gradients(self, g: Any) -> list[Tensor]:
        """The gradients of the values from that of the one node, as tensors."""
        found = [g] if len(self.specs) == 1 else parted(g, self.blocks)
        listed = []
        for h, (shape, dtype) in zip(found, self.specs, strict=True):
            h = np.zeros(shape, dtype) if h is None else h
            t = h if isinstance(h, Tensor) else constant(h)
            listed.append(t if t.dtype == dtype else astype(t, dtype))
        return listed
