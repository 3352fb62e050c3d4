"""An op for a whole batch of inputs at once: by its batching rule, that of its family, or one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphnet.apply import apply_prepared, as_tensor, described
from graphnet.node import WEAK, Tensor
from graphnet.ops.joining import stack
from graphnet.ops.shaping import reshape
from graphnet.ops.window_batch import nothing
from graphnet.record import Op


def batched(op: Op, batch: Sequence[bool], inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Tensor:
    """`op` for each place of a further first axis, and the results along the first axis of one tensor.

    `batch` says which inputs have that axis, of one size n; the others are the same for all places. `attrs` are those
    of a node: axes count from the front of one place. The result has shape `(n, *shape of one)`. Raises `ValueError`
    where no input has the axis, or their sizes differ.

    >>> import graphnet as gn
    >>> x, v = gn.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), gn.tensor([10.0, 20.0])
    >>> batched(gn.sum.op, [True], [x], {"axis": (0,), "keepdims": False})
    Tensor([ 3.,  7., 11.])
    >>> batched(gn.matmul.op, [True, False], [x, v], {})
    Tensor([ 50., 110., 170.])
    """
    # Numbers stay weak beside tensors.
    tensors: list[Any] = [x if x.__class__ in WEAK or x.__class__ is complex else as_tensor(x) for x in inputs]
    sizes = {x.shape[0] if np.ndim(x) else None for x, b in zip(tensors, batch, strict=True) if b}
    if len(sizes) != 1 or None in sizes:
        raise ValueError(
            f"{op.name}: a batch is a first axis, of one size in all inputs that have it; received "
            f"{', '.join(map(described, inputs))}, batched: {list(batch)}"
        )
    if op.batch is not None:
        return op.batch(batch, *tensors, **attrs)
    if op.family == "elementwise":
        return _aligned(op, batch, tensors, attrs)
    if op.family == "reduction":
        axes = tuple(a + 1 for a in attrs["axis"])
        return apply_prepared(op, tensors, {**attrs, "axis": axes})
    return _in_turn(op, batch, tensors, attrs)


def _aligned(op: Op, batch: Sequence[bool], tensors: Sequence[Any], attrs: Mapping[str, Any]) -> Tensor:
    """An elementwise op: axes of one place broadcast from the right, so those with a batch get as many."""
    rank = max(np.ndim(x) - b for x, b in zip(tensors, batch, strict=True))
    full = [
        reshape(x, (x.shape[0], *(1,) * (rank + 1 - x.ndim), *x.shape[1:])) if b and x.ndim <= rank else x
        for x, b in zip(tensors, batch, strict=True)
    ]
    return apply_prepared(op, full, dict(attrs))


def _in_turn(op: Op, batch: Sequence[bool], tensors: Sequence[Any], attrs: Mapping[str, Any]) -> Tensor:
    """Any op, place by place."""
    count = next(x.shape[0] for x, b in zip(tensors, batch, strict=True) if b)
    if not count:
        return nothing(op, batch, tensors, dict(attrs))
    places = [
        apply_prepared(op, [x[n] if b else x for x, b in zip(tensors, batch, strict=True)], dict(attrs))
        for n in range(count)
    ]
    return stack(places)
