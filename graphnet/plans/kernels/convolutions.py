"""Convolutions as native loops: tiles of the result that stay in registers, straight from the arrays, without patches.

A tile has a few windows and a block of channels. The kernel is packed once in the order in which the tiles read it. The
three ops of `graphnet.ops.convolution` are three ways of going through the same tiles: along the window (conv), along
the channels (conv_transpose), along the windows (conv_kernel). Each is done sample by sample, so that what it reads
stays in the cache, and the samples are shared by threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import numpy as np

from graphnet.node import Tensor
from graphnet.plans.ir_text import WIDE, Text, scalar, vector, widths
from graphnet.plans.order.views import row_major

#: windows in a tile: with two registers of channels each, twelve sums, which leaves room for what is multiplied
TALL = 6
#: rows of a kernel that are so few are written out
SHALLOW = 32
#: additions and multiplications per nanosecond, about
RATE = 40.0
OPS = frozenset({"conv", "conv_add", "conv_transpose", "conv_kernel"})


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
    def nanoseconds(self) -> float:
        """About how long it takes, on one thread."""
        return 2 * self.batch * math.prod(self.fit) * math.prod(self.window) * self.inputs * self.outputs / RATE


def geometry(t: Tensor) -> Geometry | None:
    """The sizes of the convolution that `t` is, None for what has no native form."""
    if t.op is None or t.op.name not in OPS or t.attrs["groups"] != 1 or t.dtype not in (np.float32, np.float64):
        return None
    if not t.size or any(not i.size or i.dtype != t.dtype for i in t.inputs):
        return None
    a, b = t.inputs[:2]
    if t.op.name in ("conv", "conv_add"):
        x, window, u = a.shape, b.shape[:-2], t.shape
    elif t.op.name == "conv_transpose":
        x, window, u = t.shape, b.shape[:-2], a.shape
    else:
        x, window, u = a.shape, t.shape[:-2], b.shape
    at = t.attrs
    return Geometry(x[0], x[1:-1], u[1:-1], window, at["strides"], at["padding"], at["dilation"], x[-1], u[-1], t.dtype)


class Writer(Text):
    """Writes one of the functions for these sizes."""

    def __init__(self, g: Geometry):
        super().__init__()
        self.g = g
        self.kind = scalar(g.dtype)
        self.align = g.dtype.itemsize
        self.windows = math.prod(g.fit)

    @contextmanager
    def nest(self, lengths: Sequence[int]) -> Iterator[list[str | int]]:
        """Counters of loops inside each other."""
        with ExitStack() as stack:
            yield [stack.enter_context(self.loop(0, n)) for n in lengths]

    def blocks(self, count: int, widest: int, body: Callable[[str | int, int], None]) -> None:
        """`body(start, width)` for all blocks of `count`: those of full width in a loop, then what is left."""
        whole = count // widest
        if whole:
            with self.loop(0, whole) as n:
                body(self.mul(n, widest), widest)
        for start, width in widths(count - whole * widest, widest):
            body(whole * widest + start, width)

    def tiles(self, count: int, body: Callable[[str | int, int], None]) -> None:
        """`body(start, rows)` for all tiles of `count` rows: the last one has what is left."""
        whole, left = divmod(count, TALL)
        if whole:
            with self.loop(0, whole) as n:
                body(self.mul(n, TALL), TALL)
        if left:
            body(whole * TALL, left)

    def begins(self, p: str | int) -> str | int:
        """Where window number `p` begins in a padded sample."""
        g = self.g
        parts: list[str | int] = []
        rest = p
        for axis in reversed(range(len(g.fit))):
            step = g.strides[axis] * g.steps[axis]
            if axis == 0:
                parts.append(self.mul(rest, step))
            elif isinstance(rest, int):
                parts.append(rest % g.fit[axis] * step)
                rest //= g.fit[axis]
            else:
                parts.append(self.mul(self.new(f"urem i64 {rest}, {g.fit[axis]}"), step))
                rest = self.new(f"udiv i64 {rest}, {g.fit[axis]}")
        return self.total(*parts)

    def of_run(self, at: Sequence[str | int]) -> str | int:
        """Where a run of the window begins, seen from the window's beginning."""
        g = self.g
        return self.total(*(self.mul(i, d * s) for i, d, s in zip(at, g.dilation, g.steps, strict=False)))

    def numbered(self, at: Sequence[str | int], lengths: Sequence[int]) -> str | int:
        """The number, in C order, of a place in axes of these lengths."""
        return self.total(*(self.mul(i, s) for i, s in zip(at, row_major(tuple(lengths)), strict=True)))

    def sums(self, rows: int, width: int, start: Sequence[str] | None = None) -> list[str]:
        """Variables for a tile."""
        kind = vector(width, self.kind)
        return [
            self.variable(kind, start[r] if start else "zeroinitializer" if width > 1 else "0.0") for r in range(rows)
        ]

    def add_products(self, sums: Sequence[str], width: int, ones: Sequence[str], row: str) -> None:
        """Add to each row of a tile one number times a row of numbers."""
        kind = vector(width, self.kind)
        several = self.load(kind, row, self.align)
        for place, pointer in zip(sums, ones, strict=True):
            one = self.splat(width, self.kind, self.load(self.kind, pointer, self.align))
            more = self.fused(width, self.kind, one, several, self.value(place, kind))
            self.do(f"store {kind} {more}, ptr {place}")

    def value(self, place: str, kind: str) -> str:
        """What a variable holds."""
        return self.new(f"load {kind}, ptr {place}")

    def padded_copy(self, source: str, room: str, back: bool = False) -> None:
        """The sample at `source` into the middle of the one with padding in `room`, or back."""
        g = self.g
        *outer, last = g.sizes
        nbytes = last * g.inputs * self.align
        steps = row_major((*g.sizes, g.inputs))
        before = sum(a * s for (a, _), s in zip(g.padding, g.steps, strict=True))
        with self.nest(outer) as at:
            plain = self.at(self.kind, source, self.total(*(self.mul(i, s) for i, s in zip(at, steps, strict=False))))
            inside = self.total(before, *(self.mul(i, s) for i, s in zip(at, g.steps, strict=False)))
            wide = self.at(self.kind, room, inside)
            self.copy(plain if back else wide, wide if back else plain, nbytes)

    def each_sample(self, shared: bool) -> ExitStack:
        """The loop over the samples; `self.n` is its counter."""
        stack = ExitStack()
        self.n = stack.enter_context(self.loop(*(("%lo", "%hi") if shared else (0, self.g.batch))))
        return stack

    def seen(self, x: str) -> str:
        """The sample number `n`, with its padding."""
        g = self.g
        source = self.at(self.kind, x, self.mul(self.n, math.prod(g.sizes) * g.inputs))
        if not g.sample:
            return source
        self.padded_copy(source, "%room")
        return "%room"

    # The kernel, packed: for each block of columns the rows one after the other.

    def packed(self, source: str, into: str, transposed: bool) -> None:
        """The kernel at `source` to `into`, as the tiles read it."""
        g = self.g
        taps = math.prod(g.window)
        columns = g.inputs if transposed else g.outputs
        rows = taps * (g.outputs if transposed else g.inputs)

        def block(start: str | int, width: int) -> None:
            panel = self.at(self.kind, into, self.mul(start, rows))
            if not transposed:
                with self.loop(0, rows) as k:
                    row = self.at(self.kind, source, self.add(self.mul(k, columns), start))
                    value = self.load(vector(width, self.kind), row, self.align)
                    target = self.at(self.kind, panel, self.mul(k, width))
                    self.store(vector(width, self.kind), value, target, self.align)
                return
            with self.nest((taps, g.outputs, width)) as (tap, o, c):
                at = self.total(self.mul(tap, g.inputs * g.outputs), self.mul(self.add(start, c), g.outputs), o)
                value = self.load(self.kind, self.at(self.kind, source, at), self.align)
                place = self.total(self.mul(self.total(self.mul(tap, g.outputs), o), width), c)
                self.store(self.kind, value, self.at(self.kind, panel, place), self.align)

        self.blocks(columns, g.widest, block)

    # The three ops.

    def write(self, name: str, pointers: Sequence[str], shared: bool) -> None:
        """The loops of the op `name`, whose inputs and result are at `pointers`, from %lo to %hi if they are shared."""
        getattr(self, name)(*pointers, shared)

    def conv_add(self, x: str, kernel: str, bias: str, y: str, shared: bool) -> None:
        """`conv`, with a number for each channel of the result added to it."""
        self.conv(x, kernel, y, shared, bias)

    def conv(self, x: str, kernel: str, y: str, shared: bool, bias: str | None = None) -> None:
        """The packed kernel over the windows of each sample."""
        g = self.g
        outer, length = g.runs
        depth = math.prod(outer) * length
        if g.sample:
            self.zero("%room", g.sample)
        with self.each_sample(shared):
            sample = self.seen(x)
            result = self.at(self.kind, y, self.mul(self.n, self.windows * g.outputs))

            def block(column: str | int, width: int) -> None:
                panel = self.at(self.kind, kernel, self.mul(column, depth))

                def tile(p: str | int, rows: int) -> None:
                    bases = [self.at(self.kind, sample, self.begins(self.add(p, r))) for r in range(rows)]
                    kind, start = vector(width, self.kind), None
                    if bias is not None:
                        start = [self.load(kind, self.at(self.kind, bias, column), self.align)] * rows
                    sums = self.sums(rows, width, start)
                    with self.nest(outer) as at:
                        moved = self.of_run(at)
                        first = self.mul(self.numbered(at, outer), length)
                        with self.loop(0, length) as i:
                            ones = [self.at(self.kind, b, self.add(moved, i)) for b in bases]
                            row = self.at(self.kind, panel, self.mul(self.add(first, i), width))
                            self.add_products(sums, width, ones, row)
                    for r, place in enumerate(sums):
                        into = self.total(self.mul(self.add(p, r), g.outputs), column)
                        self.store(kind, self.value(place, kind), self.at(self.kind, result, into), self.align)

                self.tiles(self.windows, tile)

            self.blocks(g.outputs, g.widest, block)

    def conv_transpose(self, u: str, kernel: str, x: str, shared: bool) -> None:
        """For each element of the window, products along the channels, added up where the windows lie."""
        g = self.g
        taps = math.prod(g.window)
        kind_of = vector
        nbytes = math.prod(g.sizes) * g.inputs * self.align
        with self.each_sample(shared):
            given = self.at(self.kind, u, self.mul(self.n, self.windows * g.outputs))
            own = self.at(self.kind, x, self.mul(self.n, math.prod(g.sizes) * g.inputs))
            sample = "%room" if g.sample else own
            self.zero(sample, g.sample or nbytes)

            def block(column: str | int, width: int) -> None:
                panel = self.at(self.kind, kernel, self.mul(column, taps * g.outputs))
                kind = kind_of(width, self.kind)
                with self.nest(g.window) as at:
                    moved = self.add(self.of_run(at), column)
                    rows_of_tap = self.at(self.kind, panel, self.mul(self.numbered(at, g.window), g.outputs * width))

                    def tile(p: str | int, rows: int) -> None:
                        bases = [self.at(self.kind, given, self.mul(self.add(p, r), g.outputs)) for r in range(rows)]
                        sums = self.sums(rows, width)
                        with self.loop(0, g.outputs) as o:
                            ones = [self.at(self.kind, b, o) for b in bases]
                            self.add_products(sums, width, ones, self.at(self.kind, rows_of_tap, self.mul(o, width)))
                        for r, place in enumerate(sums):
                            into = self.at(self.kind, sample, self.add(self.begins(self.add(p, r)), moved))
                            before, more = self.load(kind, into, self.align), self.value(place, kind)
                            self.store(kind, self.new(f"fadd {kind} {before}, {more}"), into, self.align)

                    self.tiles(self.windows, tile)

            self.blocks(g.inputs, g.widest, block)
            if g.sample:
                self.padded_copy(own, "%room", back=True)

    def conv_kernel(self, x: str, u: str, kernel: str, shared: bool) -> None:
        """For each tile of the kernel, products along the windows, added up over the samples."""
        g = self.g
        outer, length = g.runs
        depth = math.prod(outer) * length
        self.zero(kernel, depth * g.outputs * self.align)
        if g.sample:
            self.zero("%room", g.sample)
        with self.each_sample(shared):
            sample = self.seen(x)
            given = self.at(self.kind, u, self.mul(self.n, self.windows * g.outputs))

            def block(column: str | int, width: int) -> None:
                def tile(first: str | int, offsets: Sequence[str | int]) -> None:
                    self.kernel_tile(sample, given, kernel, column, width, first, offsets)

                if depth <= SHALLOW:
                    # Short runs: a tile goes over several of them.
                    every = [int(self.of_run(at)) + i for at in np.ndindex(*outer) for i in range(length)]
                    for start in range(0, depth, TALL):
                        tile(start, every[start : start + TALL])
                    return
                with self.nest(outer) as at:
                    moved = self.of_run(at)
                    first = self.mul(self.numbered(at, outer), length)
                    self.tiles(
                        length,
                        lambda i, rows: tile(self.add(first, i), [self.total(moved, i, r) for r in range(rows)]),
                    )

            self.blocks(g.outputs, g.widest, block)

    def kernel_tile(
        self,
        sample: str,
        given: str,
        kernel: str,
        column: str | int,
        width: int,
        first: str | int,
        offsets: Sequence[str | int],
    ) -> None:
        """Rows of the kernel from `first` on: add what one sample gives, with its elements so far into each window."""
        g = self.g
        kind = vector(width, self.kind)
        places = [
            self.at(self.kind, kernel, self.add(self.mul(self.add(first, r), g.outputs), column))
            for r in range(len(offsets))
        ]
        sums = self.sums(len(offsets), width, [self.load(kind, p, self.align) for p in places])
        with self.nest(g.fit) as w:
            base = self.total(*(self.mul(a, s * d) for a, s, d in zip(w, g.strides, g.steps, strict=True)))
            ones = [self.at(self.kind, sample, self.add(base, offset)) for offset in offsets]
            number = self.mul(self.numbered(w, g.fit), g.outputs)
            self.add_products(sums, width, ones, self.at(self.kind, given, self.add(number, column)))
        for pointer, place in zip(places, sums, strict=True):
            self.store(kind, self.value(place, kind), pointer, self.align)

    def joined(self, size: int) -> None:
        """Add the %count results at %p1, which lie one after the other, to that at %p0."""
        with self.loop(0, size) as i:
            place = self.at(self.kind, "%p0", i)
            total = self.variable(self.kind, self.load(self.kind, place, self.align))
            with self.loop(0, "%count") as n:
                other = self.at(self.kind, "%p1", self.add(self.mul(n, size), i))
                value = self.load(self.kind, other, self.align)
                self.store(
                    self.kind, self.new(f"fadd {self.kind} {self.value(total, self.kind)}, {value}"), total, self.align
                )
            self.store(self.kind, self.value(total, self.kind), place, self.align)
