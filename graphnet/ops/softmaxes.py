"""Softmax, its logarithm, and the sparse softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet import shapes
from graphnet.composites import composite
from graphnet.declare import op
from graphnet.node import Tensor
from graphnet.ops import reduce
from graphnet.ops.arranging import flip
from graphnet.ops.choices import where
from graphnet.ops.comparisons import greater
from graphnet.ops.exponentials import exp
from graphnet.ops.selecting import sort
from graphnet.ops.shaping import astype, stop_gradient
from graphnet.shapes import Axes
from graphnet.typed import ArrayLike


def _floating(x: Any) -> Any:
    """Whole numbers as float64: the difference of two of them may not fit in their dtype."""
    return astype(x, np.float64) if x.dtype.kind in "biu" else x


@composite
def softmax(x: ArrayLike, axis: Axes = -1) -> Tensor:
    """`exp(x) / sum(exp(x))` along `axis`: positive numbers whose sum is 1. Any size of `x` is safe.

    >>> import graphnet as gn
    >>> gn.softmax([1000.0, 1000.0, 0.0])
    Tensor([0.5, 0.5, 0. ])
    """
    x = _floating(x)
    if not x.size:
        return exp(x)
    e = exp(x - stop_gradient(reduce.max(x, axis=axis, keepdims=True)))
    return e / reduce.sum(e, axis=axis, keepdims=True)


def _axis(x: Any, axis: Any = -1) -> Any:
    return {"axis": shapes.axes_indices(axis, len(x.shape))}


@op(
    lambda x, axis: x.shape,
    prepare=_axis,
    dtype=lambda x, axis: x.dtype if x.dtype.kind == "f" else np.dtype(np.float64),
    onnx="LogSoftmax",
    vjp=(lambda g, y, x, axis: g - exp(y) * reduce.sum(g, axis=axis, keepdims=True),),
    batch=lambda batch, x, axis: log_softmax(x, tuple(a + 1 for a in axis)),
)
def log_softmax(x: ArrayLike, axis: int = -1) -> Tensor:
    """`log(softmax(x))` along `axis`, accurate where the softmax is too small to represent.

    >>> import graphnet as gn
    >>> gn.log_softmax([1000.0, 0.0])
    Tensor([    0., -1000.])
    """
    if x.dtype.kind in "biu":
        x = x.astype(np.float64)
    if not x.size:
        return x.copy()
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


@composite
def sparsemax(x: ArrayLike, axis: int = -1) -> Tensor:
    """The nearest point to `x` among numbers of 0 or more whose sum along `axis` is 1 (Martins and Astudillo, 2016).

    Like a softmax, but small numbers give exactly 0, and their gradient is 0.

    >>> import graphnet as gn
    >>> gn.sparsemax([1.0, 1.5, -1.0])
    Tensor([0.25, 0.75, 0.  ])
    """
    x = _floating(x)
    if not x.size:
        return exp(x)
    shifted = x - stop_gradient(reduce.max(x, axis=axis, keepdims=True))
    z = stop_gradient(shifted)
    down = flip(sort(z, axis=axis), axis=axis)
    shape = [1] * len(x.shape)
    shape[axis] = x.shape[axis]
    count = np.arange(1, x.shape[axis] + 1, dtype=x.dtype).reshape(shape)
    excess = reduce.cumsum(down, axis=axis) - 1
    kept = reduce.sum(astype(greater(down * count, excess), x.dtype), axis=axis, keepdims=True)
    last = reduce.sum(where(count == kept, excess, 0), axis=axis, keepdims=True)
    support = greater(z * kept, last)
    inside = reduce.sum(where(support, shifted, 0), axis=axis, keepdims=True) - 1
    size = reduce.sum(astype(support, x.dtype), axis=axis, keepdims=True)
    return where(support, shifted - inside / size, 0)
