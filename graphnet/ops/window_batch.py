"""Ops over windows for a batch of inputs: as more samples, more channels, or more groups of channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphnet.arrays import Spec
from graphnet.node import Tensor, constant
from graphnet.ops.joining import together
from graphnet.ops.shaping import moveaxis, reshape, swapaxes
from graphnet.record import Op


def folded(function: Callable[..., Tensor], batch: Sequence[bool], *inputs: Any, **attrs: Any) -> Tensor:
    """`function` of inputs `(samples, ...)` for a batch of each: the samples of all places are one row of samples."""
    wide = together(batch, inputs)
    count, samples = wide[0].shape[:2]
    y = function(*[reshape(x, (count * samples, *x.shape[2:])) for x in wide], **attrs)
    return reshape(y, (count, samples, *y.shape[1:]))


def beside(x: Tensor, groups: int = 1) -> Tensor:
    """`(n, ..., channels)` as `(..., n * channels)`; those of a group stay together, whatever their place."""
    n, *front, channels = x.shape
    x = moveaxis(x, 0, -2)  # (..., n, channels)
    if groups > 1:
        x = swapaxes(reshape(x, (*front, n, groups, channels // groups)), -3, -2)
    return reshape(x, (*front, n * channels))


def apart(y: Tensor, n: int, groups: int = 1) -> Tensor:
    """`(n, ..., channels)` from `(..., n * channels)` in the order of `beside`."""
    *front, channels = y.shape
    y = moveaxis(reshape(y, (*front, groups, n, channels // (groups * n))), -2, 0)
    return reshape(y, (n, *front, channels // n))


def nothing(op: Op, batch: Sequence[bool], inputs: Sequence[Any], attrs: dict[str, Any]) -> Tensor:
    """The result for a batch of no places."""
    specs = [Spec(x.shape[b:], x.dtype) for x, b in zip(inputs, batch, strict=True)]
    one = op.infer(*specs, **attrs)
    return constant(np.zeros((0, *one.shape), one.dtype))
