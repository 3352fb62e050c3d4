"""Pooling as native loops, a block of channels at a time: the ops of `graphnet.ops.pooling`.

The functions write into a kernel `k` of the loop language, for the samples from the first to before the second number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from operator import mul
from typing import NamedTuple

import numpy as np

from graphnet import ops
from graphnet.node import Tensor, made_by
from graphnet.ops.pooling import max_pool_at, window_put
from graphnet.plans.kernels.convolutions import Samples
from graphnet.plans.kernels.tiles import WIDE, Count, blocks, numbered
from graphnet.plans.nest.functions import exactly
from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.values import UINT8, Pointer, where
from graphnet.plans.order.views import row_major

OPS = (ops.max_pool, max_pool_at, window_put)
#: elements of a window that are written out one after the other
UNROLLED = 16


class Geometry(NamedTuple):
    """The sizes of a pooling of `(batch, *sizes, channels)`."""

    batch: int
    sizes: tuple[int, ...]
    fit: tuple[int, ...]
    window: tuple[int, ...]
    strides: tuple[int, ...]
    channels: int
    dtype: np.dtype

    @property
    def nanoseconds(self) -> float:
        """About how long it takes, on one thread: what is read and written."""
        return self.batch * math.prod(self.sizes) * self.channels * self.dtype.itemsize / 8

    @property
    def apart(self) -> bool:
        """Whether no element is in two windows."""
        return all(k <= s for k, s in zip(self.window, self.strides, strict=True))

    @property
    def exact(self) -> bool:
        """Whether each element is in one window."""
        return self.strides == self.window and all(
            m * s == n for n, m, s in zip(self.sizes, self.fit, self.strides, strict=True)
        )

    @property
    def steps(self) -> tuple[int, ...]:
        """How far apart the elements of a sample are, along each axis of space."""
        return row_major((*self.sizes, self.channels))[:-1]

    @property
    def inside(self) -> list[int]:
        """How far each element of a window is from its beginning."""
        return [sum(map(mul, at, self.steps)) for at in product(*(range(k) for k in self.window))]


def geometry(t: Tensor) -> Geometry | None:
    """The sizes of the pooling that `t` is, None for what has no native form: padding, large windows."""
    if not made_by(t, *OPS) or not t.size or any(a or b for a, b in t.attrs["padding"]):
        return None
    x = t if made_by(t, window_put) else t.inputs[0]
    if x.dtype not in (np.float32, np.float64) or math.prod(t.attrs["window"]) > UNROLLED:
        return None
    fit = t.inputs[0].shape[1:-1] if made_by(t, window_put) else t.shape[1:-1]
    return Geometry(x.shape[0], x.shape[1:-1], fit, t.attrs["window"], t.attrs["strides"], x.shape[-1], x.dtype)


def _each_window(k: Kernel, g: Geometry, samples: Samples, body: Callable[[Count, Count], None]) -> None:
    """`body(begin, number)` for all windows: where one begins in what is pooled, and where its result lies."""
    with k.loop(samples[1], samples[0]) as n, k.nest(g.fit) as at:
        moved = numbered(at, [s * step for s, step in zip(g.strides, g.steps, strict=True)])
        number = numbered(at, row_major(g.fit)) + n * math.prod(g.fit)
        body(moved + n * (math.prod(g.sizes) * g.channels), number * g.channels)


def largest(k: Kernel, g: Geometry, x: Pointer, y: Pointer | None, positions: Pointer | None, samples: Samples) -> None:
    """The largest of each window to `y`, the position of the first such one to `positions`."""

    def window(begin: Count, number: Count) -> None:
        def block(column: Count, width: int) -> None:
            start = x + (begin + column)
            best, found = start.load(0, width), k.const(0, UINT8, width)
            for position, moved in enumerate(g.inside):
                if not position:
                    continue
                value = start.load(moved, width)
                # Larger, or NaN where the other is a number.
                better = ~(value <= best) & (best == best)
                if positions is not None:
                    found = where(better, k.const(position, UINT8, width), found)
                best = where(better, value, best)
            if y is not None:
                y.store(best, number + column)
            if positions is not None:
                positions.store(found, number + column)

        blocks(k, g.channels, WIDE // g.dtype.itemsize, block)

    _each_window(k, g, samples, window)


def put(k: Kernel, g: Geometry, slope: Pointer, positions: Pointer, x: Pointer, samples: Samples) -> None:
    """Each element of `slope` at its position in its window, zero or what is there already elsewhere."""
    if not g.exact:
        # Some elements are in no window, or in several.
        size = math.prod(g.sizes) * g.channels
        with k.loop(samples[1], samples[0]) as n:
            k.zero(x + n * size, size * g.dtype.itemsize)

    def window(begin: Count, number: Count) -> None:
        def block(column: Count, width: int) -> None:
            given = slope.load(number + column, width)
            chosen = positions.load(number + column, width)
            start = x + (begin + column)
            for position, moved in enumerate(g.inside):
                value = where(chosen == k.const(position, UINT8, width), given, k.const(0, g.dtype, width))
                if not g.apart:
                    value = exactly("add", start.load(moved, width), value)
                start.store(value, moved)

        blocks(k, g.channels, WIDE // g.dtype.itemsize, block)

    _each_window(k, g, samples, window)
