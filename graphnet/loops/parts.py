"""Values inside the flat result of a loop, and the parts of its gradient, without the zeros that stand between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphnet.loops.body import Block
from graphnet.op import apply
from graphnet.ops.index import _getitem, _scatter_add
from graphnet.ops.shaping import reshape
from graphnet.tensor import Tensor


def part(flat: Any, block: Block) -> Any:
    """One value of the flat result: a look at it."""
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
        looks = [part(g, block) for block in blocks]
        return [look if look.any() else None for look in looks]
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
