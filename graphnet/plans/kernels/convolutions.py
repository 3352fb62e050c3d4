"""Convolutions as native loops: tiles of the result that stay in registers, straight from the arrays, without patches.

A tile has a few windows and a block of channels. The kernel is packed once in the order in which the tiles read it. The
three ops of `graphnet.ops.convolution` are three ways of going through the same tiles: along the window (conv), along
the channels (conv_transpose), along the windows (conv_kernel). Each is done sample by sample, so that what it reads
stays in the cache, and the samples are shared by threads.

The functions here write into a kernel `k` of the loop language. `samples` are the first sample and the one after the
last; `padded` is memory for one sample with its padding, None where there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

import numpy as np

from graphnet import ops
from graphnet.node import Tensor, made_by
from graphnet.ops import convolution
from graphnet.ops.planned import CONV_ADD
from graphnet.plans.kernels.tiles import WIDE, Count, add_products, blocks, numbered, parts, sums
from graphnet.plans.nest.functions import exactly
from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.values import Pointer
from graphnet.plans.order.views import row_major

#: windows in a tile: with two registers of channels each, twelve sums, which leaves registers for what is multiplied
TALL = 6
#: rows of a kernel that are so few are written out
SHALLOW = 32
#: additions and multiplications per nanosecond, about
RATE = 40.0
OPS = (ops.conv, CONV_ADD, ops.conv_transpose, convolution.conv_kernel)

Samples = tuple[Count, Count]


class Geometry(NamedTuple):
    """The sizes of a convolution from `(batch, *sizes, inputs)` to `(batch, *fit, outputs)`."""

    batch: int
    sizes: tuple[int, ...]
    fit: tuple[int, ...]
    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    inputs: int
    outputs: int
    dtype: np.dtype

    @property
    def widest(self) -> int:
        """Channels in a block."""
        return WIDE // self.dtype.itemsize

    @property
    def windows(self) -> int:
        """Windows in a sample."""
        return math.prod(self.fit)

    @property
    def padded(self) -> tuple[int, ...]:
        """The sizes with padding."""
        return tuple(n + a + b for n, (a, b) in zip(self.sizes, self.padding, strict=True))

    @property
    def sample(self) -> int:
        """Bytes of a padded sample, 0 where it needs no padding."""
        return math.prod(self.padded) * self.inputs * self.dtype.itemsize if self.padded != self.sizes else 0

    @property
    def runs(self) -> tuple[tuple[int, ...], int]:
        """What of a window lies in `x` without gaps: the axes that are left, and the length of such a run."""
        if self.dilation[-1] == 1 or self.window[-1] == 1:
            return self.window[:-1], self.window[-1] * self.inputs
        return self.window, self.inputs

    @property
    def steps(self) -> tuple[int, ...]:
        """How far apart the elements of a padded sample are, along each axis of space."""
        return row_major((*self.padded, self.inputs))[:-1]

    @property
    def reach(self) -> tuple[int, ...]:
        """How far apart the elements of a window are in a padded sample, along each axis of space."""
        return tuple(d * s for d, s in zip(self.dilation, self.steps, strict=True))

    @property
    def nanoseconds(self) -> float:
        """About how long it takes, on one thread."""
        return 2 * self.batch * math.prod(self.fit) * math.prod(self.window) * self.inputs * self.outputs / RATE


def geometry(t: Tensor) -> Geometry | None:
    """The sizes of the convolution that `t` is, None for what has no native form."""
    if not made_by(t, *OPS) or t.attrs["groups"] != 1 or t.dtype not in (np.float32, np.float64):
        return None
    if not t.size or any(not i.size or i.dtype != t.dtype for i in t.inputs):
        return None
    a, b = t.inputs[:2]
    if made_by(t, ops.conv, CONV_ADD):
        x, window, u = a.shape, b.shape[:-2], t.shape
    elif made_by(t, ops.conv_transpose):
        x, window, u = t.shape, b.shape[:-2], a.shape
    else:
        x, window, u = a.shape, t.shape[:-2], b.shape
    at = t.attrs
    return Geometry(x[0], x[1:-1], u[1:-1], window, at["strides"], at["padding"], at["dilation"], x[-1], u[-1], t.dtype)


def begins(g: Geometry, p: Count) -> Count:
    """Where window number `p` begins in a padded sample."""
    total: Count = 0
    for axis in reversed(range(len(g.fit))):
        step = g.strides[axis] * g.steps[axis]
        total = total + (p if axis == 0 else p % g.fit[axis]) * step
        if axis:
            p = p // g.fit[axis]
    return total


def _padded_copy(k: Kernel, g: Geometry, source: Pointer, padded: Pointer, back: bool = False) -> None:
    """The sample at `source` into the middle of the one with padding in `padded`, or back."""
    *outer, last = g.sizes
    nbytes = last * g.inputs * g.dtype.itemsize
    before = sum(a * s for (a, _), s in zip(g.padding, g.steps, strict=True))
    with k.nest(outer) as at:
        plain = source + numbered(at, row_major((*g.sizes, g.inputs)))
        wide = padded + (numbered(at, g.steps) + before)
        k.copy(plain if back else wide, wide if back else plain, nbytes)


def _seen(k: Kernel, g: Geometry, x: Pointer, n: Count, padded: Pointer | None) -> Pointer:
    """The sample number `n`, with its padding."""
    source = x + n * (math.prod(g.sizes) * g.inputs)
    if padded is None:
        return source
    _padded_copy(k, g, source, padded)
    return padded


def packed(k: Kernel, g: Geometry, source: Pointer, into: Pointer, transposed: bool) -> None:
    """The kernel at `source` to `into`, as the tiles read it: for each block of columns row after row."""
    taps = math.prod(g.window)
    columns = g.inputs if transposed else g.outputs
    rows = taps * (g.outputs if transposed else g.inputs)

    def block(start: Count, width: int) -> None:
        panel = into + start * rows
        if not transposed:
            with k.loop(rows) as r:
                panel.store(source.load(r * columns + start, width), r * width)
            return
        with k.nest((taps, g.outputs, width)) as (tap, o, c):
            value = source[tap * (g.inputs * g.outputs) + (start + c) * g.outputs + o]
            panel[(tap * g.outputs + o) * width + c] = value

    blocks(k, columns, g.widest, block)


def conv(
    k: Kernel,
    g: Geometry,
    x: Pointer,
    kernel: Pointer,
    y: Pointer,
    samples: Samples,
    padded: Pointer | None,
    bias: Pointer | None = None,
) -> None:
    """The packed kernel over the windows of each sample; `bias` has a number to add for each channel of the result."""
    outer, length = g.runs
    depth = math.prod(outer) * length
    if padded is not None:
        k.zero(padded, g.sample)
    with k.loop(samples[1], samples[0]) as n:
        sample = _seen(k, g, x, n, padded)
        result = y + n * (g.windows * g.outputs)

        def block(column: Count, width: int) -> None:
            panel = kernel + column * depth

            def tile(p: Count, rows: int) -> None:
                bases = [sample + begins(g, p + r) for r in range(rows)]
                zero = k.const(0, g.dtype, width)
                totals = sums(k, [bias.load(column, width) if bias is not None else zero] * rows)
                with k.nest(outer) as at:
                    moved = numbered(at, g.reach)
                    first = numbered(at, row_major(outer)) * length
                    with k.loop(length) as i:
                        add_products(totals, [b + (moved + i) for b in bases], panel + (first + i) * width)
                for r, total in enumerate(totals):
                    result.store(total.value, (p + r) * g.outputs + column)

            parts(k, g.windows, TALL, tile)

        blocks(k, g.outputs, g.widest, block)


def conv_transpose(
    k: Kernel, g: Geometry, u: Pointer, kernel: Pointer, x: Pointer, samples: Samples, padded: Pointer | None
) -> None:
    """For each element of the window, products along the channels, added up where the windows lie."""
    taps, size = math.prod(g.window), math.prod(g.sizes) * g.inputs
    with k.loop(samples[1], samples[0]) as n:
        given = u + n * (g.windows * g.outputs)
        own = x + n * size
        sample = own if padded is None else padded
        k.zero(sample, g.sample or size * g.dtype.itemsize)

        def block(column: Count, width: int) -> None:
            panel = kernel + column * (taps * g.outputs)
            with k.nest(g.window) as at:
                moved = numbered(at, g.reach) + column
                of_tap = panel + numbered(at, row_major(g.window)) * (g.outputs * width)

                def tile(p: Count, rows: int) -> None:
                    bases = [given + (p + r) * g.outputs for r in range(rows)]
                    totals = sums(k, [k.const(0, g.dtype, width)] * rows)
                    with k.loop(g.outputs) as o:
                        add_products(totals, [b + o for b in bases], of_tap + o * width)
                    for r, total in enumerate(totals):
                        into = sample + (begins(g, p + r) + moved)
                        into.store(exactly("add", into.load(0, width), total.value))

                parts(k, g.windows, TALL, tile)

        blocks(k, g.inputs, g.widest, block)
        if padded is not None:
            _padded_copy(k, g, own, padded, back=True)


def conv_kernel(
    k: Kernel, g: Geometry, x: Pointer, u: Pointer, kernel: Pointer, samples: Samples, padded: Pointer | None
) -> None:
    """For each tile of the kernel, products along the windows, added up over the samples."""
    outer, length = g.runs
    depth = math.prod(outer) * length
    k.zero(kernel, depth * g.outputs * g.dtype.itemsize)
    if padded is not None:
        k.zero(padded, g.sample)
    with k.loop(samples[1], samples[0]) as n:
        sample = _seen(k, g, x, n, padded)
        given = u + n * (g.windows * g.outputs)

        def block(column: Count, width: int) -> None:
            def tile(first: Count, offsets: Sequence[Count]) -> None:
                """Rows of the kernel from `first` on, whose elements lie so far into each window."""
                rows = [kernel + ((first + r) * g.outputs + column) for r in range(len(offsets))]
                totals = sums(k, [row.load(0, width) for row in rows])
                with k.nest(g.fit) as w:
                    base = numbered(w, [s * d for s, d in zip(g.strides, g.steps, strict=True)])
                    ones = [sample + (offset + base) for offset in offsets]
                    add_products(totals, ones, given + (numbered(w, row_major(g.fit)) * g.outputs + column))
                for row, total in zip(rows, totals, strict=True):
                    row.store(total.value)

            if depth <= SHALLOW:
                # Short runs: a tile goes over several of them.
                every = [sum(map(mul, at, g.reach)) + i for at in np.ndindex(*outer) for i in range(length)]
                for start in range(0, depth, TALL):
                    tile(start, every[start : start + TALL])
                return
            with k.nest(outer) as at:
                moved = numbered(at, g.reach)
                first = numbered(at, row_major(outer)) * length
                parts(k, length, TALL, lambda i, rows: tile(first + i, [moved + i + r for r in range(rows)]))

        blocks(k, g.outputs, g.widest, block)


def joined(k: Kernel, result: Pointer, others: Pointer, size: int, count: Count) -> None:
    """Add the `count` results at `others`, which lie one after the other, to that at `result`."""
    with k.loop(size) as i:
        total = k.variable(result[i])
        with k.loop(count) as n:
            total.value = exactly("add", total.value, others[n * size + i])
        result[i] = total.value
