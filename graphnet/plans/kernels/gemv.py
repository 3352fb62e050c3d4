"""One row times a matrix, as vector instructions: what a network computes for a single sample.

BLAS wakes its threads for this, which takes longer than the work. Here 64 columns at a time stay in registers while the
rows of the matrix pass by; a single column is a sum of products of two vectors. Rows are added up in parts, and the
parts to each other: one sum of all would lose digits with every row.
"""

from __future__ import annotations

import numpy as np

from graphnet.plans.kernels.products import Product
from graphnet.plans.kernels.tiles import Count, parts
from graphnet.plans.nest.functions import exactly
from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.values import FLOAT32, FLOAT64, Pointer

#: elements of a matrix that is not worth several threads
LARGEST = 1 << 20
#: rows that are added up in one sum
PART = 256
#: columns at a time, the most first; what is left of the columns takes the smaller ones
WIDTHS = (64, 32, 16, 8, 4, 2, 1)


def fits(p: Product) -> bool:
    """Whether `row` computes the product."""
    a, b = p.a, p.b
    return a.rows == 1 and not b.transposed and b.rows * b.columns <= LARGEST


def row(p: Product) -> Kernel:
    """A kernel of pointers `(c, a, b)` that writes the row `a @ b` to c."""
    k = Kernel("gemv")
    c, a, b = (k.pointer(p.dtype, name) for name in "cab")
    step = p.a.lead if p.a.transposed and p.a.columns > 1 else 1
    rows, columns, lead = p.a.columns, p.b.columns, p.b.lead
    if columns == 1 and step == 1 and lead == 1:
        _dot(k, c, a, b, rows)
        return k
    start = 0
    for width in WIDTHS:
        count = (columns - start) // width
        if count:
            with k.loop(count) as n:
                _strip(k, c + (n * width + start), a, b + (n * width + start), width, rows, step, lead)
            start += count * width
    return k


def _strip(k: Kernel, c: Pointer, a: Pointer, b: Pointer, width: int, rows: int, step: int, lead: int) -> None:
    """`width` columns of the result."""
    whole = k.variable(0, c.dtype, width)

    def part(first: Count, length: int) -> None:
        total = k.variable(0, c.dtype, width)
        with k.loop(length) as i:
            total.value = total.value + a[(first + i) * step] * b.load((first + i) * lead, width)
        whole.value = exactly("add", whole.value, total.value)

    parts(k, rows, PART, part)
    c.store(whole.value)


def _dot(k: Kernel, c: Pointer, a: Pointer, b: Pointer, length: int) -> None:
    """The sum of products of two vectors: many partial sums, which are added up in float64 after each part."""
    lanes = 64 if c.dtype == FLOAT32 else 32
    steps = length // lanes
    whole = k.variable(0, FLOAT64)

    def part(first: Count, count: int) -> None:
        total = k.variable(0, c.dtype, lanes)
        with k.loop(count) as i:
            at = (first + i) * lanes
            total.value = total.value + a.load(at, lanes) * b.load(at, lanes)
        whole.value = exactly("add", whole.value, total.value.horizontal("sum").cast(np.float64))

    parts(k, steps, PART, part)
    if length % lanes:
        with k.loop(length, steps * lanes) as i:
            whole.value = whole.value + a[i].cast(np.float64) * b[i].cast(np.float64)
    c[0] = whole.value.cast(c.dtype)
