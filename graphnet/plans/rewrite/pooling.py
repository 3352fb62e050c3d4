"""Rules that move what comes before a pooling behind it, where there are fewer elements.

relu and the largest of a window can change places: values and gradients stay the same, to the bit. The gradient of
`max_pool(relu(z))` goes through the relu only where the largest is above 0, and there its place is that in z.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphnet.apply import made
from graphnet.node import Tensor
from graphnet.plans.rewrite.algebra import is_number
from graphnet.plans.rewrite.rewriting import Rules
from graphnet.record import OPS

pooling = Rules()
pooled_sums = Rules()


def _is(t: Tensor, name: str) -> bool:
    return t.op is not None and t.op.name == name


@pooling.on("max_pool")
def behind(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """relu(max_pool(z)) for max_pool(relu(z))."""
    (x,) = inputs
    if not _is(x, "relu") or x.dtype.kind != "f":
        return None
    largest = made(OPS["max_pool"], x.inputs, node.attrs, like=node)
    return made(OPS["relu"], (largest,), {}, like=x)


@pooling.on("where")
def slope_behind(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """The gradient of max_pool(relu(z)) by z as that of relu(max_pool(z))."""
    condition, put, other = inputs
    if not is_number(other, 0) or not _is(put, "window_put") or not _is(condition, "greater"):
        return None
    slope, places = put.inputs
    z, zero = condition.inputs
    if not is_number(zero, 0) or not _is(places, "max_pool_at") or put.shape != node.shape or put.dtype != node.dtype:
        return None
    if not _is(places.inputs[0], "relu") or places.inputs[0].inputs[0] is not z or z.shape != node.shape:
        return None
    largest = made(OPS["max_pool"], (z,), places.attrs, like=places)
    above = made(OPS["greater"], (largest, zero), {}, like=condition)
    kept = made(OPS["where"], (above, slope, other), {}, like=node)
    at = made(OPS["max_pool_at"], (z,), places.attrs, like=places)
    return made(OPS["window_put"], (kept, at), put.attrs, like=put)


@pooled_sums.on("sum")
def of_put(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """The sum of g for the sum of what `window_put` made of it, over all axes of space."""
    (put,) = inputs
    if (
        not _is(put, "window_put")
        or node.dtype != put.dtype
        or not set(range(1, put.ndim - 1)) <= set(node.attrs["axis"])
    ):
        return None
    return made(OPS["sum"], put.inputs[:1], node.attrs, like=node)
