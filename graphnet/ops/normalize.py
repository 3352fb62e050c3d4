"""Softmax and its logarithm."""

from __future__ import annotations

import numpy as np

from graphnet import shapes
from graphnet.op import composite, op
from graphnet.ops import reduce
from graphnet.ops.shape import stop_gradient
from graphnet.ops.transcendental import exp


@composite
def softmax(x, axis=-1):
    """`exp(x) / sum(exp(x))` along `axis`: positive numbers whose sum is 1. Any size of `x` is safe.

    >>> import graphnet as gn
    >>> gn.softmax([1000.0, 1000.0, 0.0])
    Tensor([0.5, 0.5, 0. ])
    """
    e = exp(x - stop_gradient(reduce.max(x, axis=axis, keepdims=True)))
    return e / reduce.sum(e, axis=axis, keepdims=True)


def _axis(x, axis=-1):
    return {"axis": shapes.axes_indices(axis, len(x.shape))}


@op(
    lambda x, axis: x.shape,
    prepare=_axis,
    dtype=lambda x, axis: x.dtype if x.dtype.kind == "f" else np.dtype(np.float64),
    onnx="LogSoftmax",
    vjp=(lambda g, y, x, axis: g - exp(y) * reduce.sum(g, axis=axis, keepdims=True),),
)
def log_softmax(x, axis=-1):
    """`log(softmax(x))` along `axis`, accurate where the softmax is too small to represent.

    >>> import graphnet as gn
    >>> gn.log_softmax([1000.0, 0.0])
    Tensor([    0., -1000.])
    """
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))
