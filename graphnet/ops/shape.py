"""Ops that rearrange elements without computing."""

from __future__ import annotations

import numpy as np

from graphnet import shapes
from graphnet.op import op


@op(
    lambda x, shape: shape,
    onnx="Reshape",
    prepare=lambda x, shape: {"shape": shapes.reshaped(x.shape, shape)},
    vjp=(lambda g, y, x, shape: reshape(g, x.shape),),
)
def reshape(x, shape):
    """The elements of `x`, in C order, in another shape; one size can be -1."""
    return np.reshape(x, shape)


def _target(x, shape):
    wanted = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if shapes.broadcast(x.shape, wanted) != wanted:
        raise ValueError(f"shape {x.shape} does not broadcast to {wanted}")
    return {"shape": wanted}


@op(lambda x, shape: shape, onnx="Expand", prepare=_target, vjp=(lambda g, y, x, shape: g,))
def broadcast_to(x, shape):
    """`x` repeated along new and size-one axes to `shape`."""
    return np.broadcast_to(x, shape)
