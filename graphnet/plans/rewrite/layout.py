"""Rules for what only rearranges: reshapes, transposes, repetition, and reductions that have nothing to reduce."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from graphnet import ops
from graphnet.apply import made
from graphnet.graph import Graph
from graphnet.node import Tensor, constant, made_by
from graphnet.ops.index import SCATTER_ADD
from graphnet.ops.joining import CONCATENATE
from graphnet.plans.rewrite.rewriting import Rules

rearranging = Rules()
sums = Rules()


@rearranging.on(ops.reshape, ops.broadcast_to)
def reshaped(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x for a reshape or broadcast to its own shape; one for two."""
    (x,) = inputs
    if x.shape == node.shape:
        return x
    if x.op is node.op:  # type: ignore[union-attr]
        return made(node.op, x.inputs, node.attrs, like=node)  # type: ignore[arg-type]
    return None


@rearranging.on(ops.transpose)
def transposed(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x for a transpose that leaves the axes where they are; one for two."""
    (x,) = inputs
    axes = node.attrs["axes"]
    if axes == tuple(range(len(axes))):
        return x
    if made_by(x, ops.transpose):
        joined = tuple(x.attrs["axes"][a] for a in axes)
        return made(ops.transpose.op, x.inputs, {"axes": joined}, like=node)
    return None


@sums.on(ops.sum, ops.mean)
@rearranging.on(ops.prod, ops.max, ops.min)
def nothing_to_reduce(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x in another shape, for a reduction over axes of size one or over none.

    A sum is not among the exact rules: NumPy's of one -0.0 is 0.0.
    """
    (x,) = inputs
    if x.dtype != node.dtype or any(x.shape[a] != 1 for a in node.attrs["axis"]):
        return None
    return x if x.shape == node.shape else made(ops.reshape.op, (x,), {"shape": node.shape}, like=node)


@sums.on(ops.sum, ops.mean)
def of_repeated(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """n * x for the sum of n times x, x for the mean."""
    (repeated,) = inputs
    if not made_by(repeated, ops.broadcast_to) or repeated.dtype != node.dtype or repeated.size == 0:
        return None
    (x,) = repeated.inputs
    added = repeated.ndim - x.ndim
    axes: tuple[int, ...] = node.attrs["axis"]
    copies = [a for a in axes if a < added or (x.shape[a - added] == 1 and repeated.shape[a] > 1)]
    if not copies:
        return None
    # Axes that stay repeated stay so in the result.
    one_each = tuple(1 if a in copies else n for a, n in enumerate(repeated.shape))
    short = made(ops.reshape.op, (x,), {"shape": (1,) * added + x.shape}, like=node)
    short = made(ops.broadcast_to.op, (short,), {"shape": one_each}, like=node)
    total = made(node.op, (short,), node.attrs, like=node)  # type: ignore[arg-type]
    if made_by(node, ops.mean):
        return total
    count = constant(np.asarray(math.prod(repeated.shape[a] for a in copies), node.dtype))
    return made(ops.multiply.op, (total, count), {}, like=node)


#: pieces of a sum that are looked for
_MOST_PIECES = 64


def _piece(t: Tensor) -> tuple[int, int, int, Tensor] | None:
    """(axis, start, stop, x) for x between zeros along one axis."""
    if not made_by(t, SCATTER_ADD) or len(t.inputs) != 1 or not all(isinstance(s, slice) for s in t.attrs["index"]):
        return None
    spans = [s.indices(n) for s, n in zip(t.attrs["index"], t.shape, strict=False)]
    cut = [a for a, (s, n) in enumerate(zip(spans, t.shape, strict=False)) if s != (0, n, 1)]
    if len(cut) != 1 or spans[cut[0]][2] != 1 or t.inputs[0].ndim != t.ndim:
        return None
    return (cut[0], *spans[cut[0]][:2], t.inputs[0])


@sums.on(ops.add)
def side_by_side(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """concatenate(a, b, ...) for a sum of pieces between zeros that fill it without gap: the gradient of `split`.

    Not exact: -0.0 + 0.0 is 0.0.
    """
    found: list[tuple[int, int, int, Tensor]] = []
    waiting = list(inputs)
    while waiting:
        t = waiting.pop()
        piece = _piece(t)
        if piece is not None:
            found.append(piece)
        elif made_by(t, ops.add) and t.shape == node.shape and len(found) + len(waiting) < _MOST_PIECES:
            waiting.extend(t.inputs)
        else:
            return None
    found.sort(key=lambda p: p[:3])
    axis = found[0][0]
    edges = [0, *(stop for _, _, stop, _ in found)]
    fits = all(
        p[0] == axis and p[1] == edge and p[3].dtype == node.dtype for p, edge in zip(found, edges, strict=False)
    )
    if not fits or edges[-1] != node.shape[axis]:
        return None
    return made(CONCATENATE, [p[3] for p in found], {"axis": axis}, like=node)


def turned(x: Tensor, like: Tensor) -> Tensor:
    """`x` with its last two axes exchanged."""
    order = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    if made_by(x, ops.transpose) and x.attrs["axes"] == order:
        return x.inputs[0]
    return made(ops.transpose.op, (x,), {"axes": order}, like=like)


def products(graph: Graph) -> Rules:
    """The rule `matmul(b.T, a.T)` for `matmul(a, b).T`, if nothing else of `graph` reads the product.

    Transposes of factors cost nothing (BLAS reads either order); a transposed result makes what reads it slow. The
    sums are the same, perhaps in another order.
    """
    users: dict[Tensor, int] = {}
    for t in graph.nodes:
        for i in t.inputs if t not in graph._given else ():
            users[i] = users.get(i, 0) + 1
    alone = {t for t, count in users.items() if count == 1} - set(graph.outputs)
    rules = Rules()

    @rules.on(ops.transpose)
    def turned_product(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
        (x,) = inputs
        if not made_by(x, ops.matmul) or not node.inputs or node.inputs[0] not in alone:
            return None
        a, b = x.inputs
        if a.ndim < 2 or b.ndim < 2 or node.attrs["axes"] != (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2):
            return None
        return made(ops.matmul.op, (turned(b, node), turned(a, node)), {}, like=node)

    return rules
