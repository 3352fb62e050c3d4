"""Ops that reduce over axes."""

from __future__ import annotations

import numpy as np

from graphnet.op import reduction


@reduction(onnx="ReduceSum", vjp=lambda g, y, x, axis: g)
def sum(x, axis=None, keepdims=False):  # noqa: A001
    """Sum over `axis` (all axes if None)."""
    return np.sum(x, axis=axis, keepdims=keepdims)
