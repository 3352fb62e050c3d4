"""Rules that move what comes before a pooling behind it, where there are fewer elements.

relu and the largest of a window can change places: values and gradients stay the same, to the bit. The gradient of
`max_pool(relu(z))` goes through the relu only where the largest is above 0, and there its place is that in z.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphnet import ops
from graphnet.apply import made
from graphnet.node import Tensor, made_by
from graphnet.ops.pooling import max_pool_at, window_put
from graphnet.plans.rewrite.algebra import is_number
from graphnet.plans.rewrite.rewriting import Rules

pooling = Rules()
pooled_sums = Rules()


@pooling.on(ops.max_pool)
def behind(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """relu(max_pool(z)) for max_pool(relu(z))."""
    (x,) = inputs
    if not made_by(x, ops.relu) or x.dtype.kind != "f":
        return None
    largest = made(ops.max_pool.op, x.inputs, node.attrs, like=node)
    return made(ops.relu.op, (largest,), {}, like=x)


@pooling.on(ops.where)
def slope_behind(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """The gradient of max_pool(relu(z)) by z as that of relu(max_pool(z))."""
    condition, put, other = inputs
    if not is_number(other, 0) or not made_by(put, window_put) or not made_by(condition, ops.greater):
        return None
    slope, places = put.inputs
    z, zero = condition.inputs
    if not is_number(zero, 0) or not made_by(places, max_pool_at) or put.shape != node.shape or put.dtype != node.dtype:
        return None
    if not made_by(places.inputs[0], ops.relu) or places.inputs[0].inputs[0] is not z or z.shape != node.shape:
        return None
    largest = made(ops.max_pool.op, (z,), places.attrs, like=places)
    above = made(ops.greater.op, (largest, zero), {}, like=condition)
    kept = made(ops.where.op, (above, slope, other), {}, like=node)
    at = made(max_pool_at.op, (z,), places.attrs, like=places)
    return made(window_put.op, (kept, at), put.attrs, like=put)


@pooled_sums.on(ops.sum)
def of_put(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """The sum of g for the sum of what `window_put` made of it, over all axes of space."""
    (put,) = inputs
    if not made_by(put, window_put) or not set(range(1, put.ndim - 1)) <= set(node.attrs["axis"]):
        return None
    return made(ops.sum.op, put.inputs[:1], node.attrs, like=node)
