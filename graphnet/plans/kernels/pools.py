"""Pooling as native loops, a block of channels at a time: the ops of `graphnet.ops.pooling`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import product
from typing import NamedTuple

import numpy as np

from graphnet.node import Tensor
from graphnet.plans.ir_text import WIDE, Text, scalar, vector, widths
from graphnet.plans.order.views import row_major

OPS = frozenset({"max_pool", "max_pool_at", "window_put"})
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


def geometry(t: Tensor) -> Geometry | None:
    """The sizes of the pooling that `t` is, None for what has no native form: padding, large windows."""
    if t.op is None or t.op.name not in OPS or not t.size or any(a or b for a, b in t.attrs["padding"]):
        return None
    x = t if t.op.name == "window_put" else t.inputs[0]
    if x.dtype not in (np.float32, np.float64) or math.prod(t.attrs["window"]) > UNROLLED:
        return None
    fit = t.inputs[0].shape[1:-1] if t.op.name == "window_put" else t.shape[1:-1]
    return Geometry(x.shape[0], x.shape[1:-1], fit, t.attrs["window"], t.attrs["strides"], x.shape[-1], x.dtype)


class Writer(Text):
    """Writes one of the functions for these sizes."""

    def __init__(self, g: Geometry):
        super().__init__()
        self.g = g
        self.kind = scalar(g.dtype)
        self.align = g.dtype.itemsize
        self.steps = row_major((*g.sizes, g.channels))[:-1]

    def write(self, name: str, pointers: Sequence[str], shared: bool) -> None:
        """The loops of the op `name`, whose inputs and result are at `pointers`, from %lo to %hi if they are shared."""
        if name == "window_put":
            slope, places, x = pointers
            self.put(slope, places, x, shared)
        elif name == "max_pool":
            self.largest(pointers[0], pointers[1], None, shared)
        else:
            self.largest(pointers[0], None, pointers[1], shared)

    @contextmanager
    def each_window(self, shared: bool) -> Iterator[tuple[str | int, str | int]]:
        """Loops over samples and windows: where the window begins in what is pooled, and its number."""
        g = self.g
        with ExitStack() as stack:
            n = stack.enter_context(self.loop(*(("%lo", "%hi") if shared else (0, g.batch))))
            at = [stack.enter_context(self.loop(0, m)) for m in g.fit]
            begin = self.total(
                self.mul(n, math.prod(g.sizes) * g.channels),
                *(self.mul(i, s * step) for i, s, step in zip(at, g.strides, self.steps, strict=True)),
            )
            number = self.total(
                self.mul(n, math.prod(g.fit)), *(self.mul(i, s) for i, s in zip(at, row_major(g.fit), strict=True))
            )
            yield begin, self.mul(number, g.channels)

    def blocks(self, body: Callable[[str | int, int], None]) -> None:
        """`body(start, width)` for all blocks of channels."""
        widest = WIDE // self.align
        whole = self.g.channels // widest
        if whole:
            with self.loop(0, whole) as n:
                body(self.mul(n, widest), widest)
        for start, width in widths(self.g.channels - whole * widest, widest):
            body(whole * widest + start, width)

    def inside(self) -> Iterator[tuple[int, int]]:
        """The elements of a window: (place, how far from its beginning)."""
        for place, at in enumerate(product(*(range(k) for k in self.g.window))):
            yield place, sum(i * s for i, s in zip(at, self.steps, strict=True))

    def largest(self, x: str, y: str | None, places: str | None, shared: bool) -> None:
        """The largest of each window to `y`, its first place to `places`."""
        with self.each_window(shared) as (begin, into):

            def block(column: str | int, width: int) -> None:
                kind, whole = self.kind, vector(width, self.kind)
                start = self.add(begin, column)
                best = found = ""
                for place, moved in self.inside():
                    value = self.load(whole, self.at(kind, x, self.add(start, moved)), self.align)
                    if not place:
                        best, found = value, "zeroinitializer" if width > 1 else "0"
                        continue
                    # Larger, or NaN where the other is a number.
                    above = self.new(f"fcmp ugt {whole} {value}, {best}")
                    known = self.new(f"fcmp ord {whole} {best}, {best}")
                    flags = vector(width, "i1")
                    better = self.new(f"and {flags} {above}, {known}")
                    if places is not None:
                        bytes_, mine = vector(width, "i8"), self.splat(width, "i8", str(place))
                        found = self.new(f"select {flags} {better}, {bytes_} {mine}, {bytes_} {found}")
                    best = self.new(f"select {flags} {better}, {whole} {value}, {whole} {best}")
                target = self.add(into, column)
                if y is not None:
                    self.store(whole, best, self.at(kind, y, target), self.align)
                if places is not None:
                    self.store(vector(width, "i8"), found, self.at("i8", places, target), 1)

            self.blocks(block)

    def put(self, g: str, places: str, x: str, shared: bool) -> None:
        """Each of `g` at its place in its window, zero or what is there already elsewhere."""
        sizes = self.g
        exact = sizes.apart and all(
            m * s == n and k == s
            for n, m, k, s in zip(sizes.sizes, sizes.fit, sizes.window, sizes.strides, strict=True)
        )
        if not exact:
            # Some elements are in no window, or in several.
            sample = math.prod(sizes.sizes) * sizes.channels
            first, last = ("%lo", "%hi") if shared else (0, sizes.batch)
            with self.loop(first, last) as n:
                self.zero(self.at(self.kind, x, self.mul(n, sample)), sample * self.align)
        with self.each_window(shared) as (begin, number):

            def block(column: str | int, width: int) -> None:
                kind, whole = self.kind, vector(width, self.kind)
                bytes_, flags = vector(width, "i8"), vector(width, "i1")
                source = self.add(number, column)
                slope = self.load(whole, self.at(kind, g, source), self.align)
                where = self.load(bytes_, self.at("i8", places, source), 1)
                start = self.add(begin, column)
                nothing = "zeroinitializer" if width > 1 else "0.0"
                for place, moved in self.inside():
                    here = self.new(f"icmp eq {bytes_} {where}, {self.splat(width, 'i8', str(place))}")
                    value = self.new(f"select {flags} {here}, {whole} {slope}, {whole} {nothing}")
                    into = self.at(kind, x, self.add(start, moved))
                    if not sizes.apart:
                        before = self.load(whole, into, self.align)
                        value = self.new(f"fadd {whole} {before}, {value}")
                    self.store(whole, value, into, self.align)

            self.blocks(block)
