"""Tiles: rows of a result, a block of columns wide, that stay in registers while products are added to them.

Convolutions, pools and products of a row are loops over such blocks. A body is called once for the blocks of full size,
inside of a loop, and once for each smaller block that is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphnet.plans.nest.functions import multiply_add
from graphnet.plans.nest.language import Kernel, Variable
from graphnet.plans.nest.values import Index, Pointer, Value

#: bytes of a block of numbers that the loops work on at once: two registers of 32 bytes
WIDE = 64

Count = int | Index


def widths(count: int, widest: int) -> list[tuple[int, int]]:
    """`count` numbers in blocks: (start, width), as wide as fits, at most `widest`.

    >>> widths(21, 16)
    [(0, 16), (16, 4), (20, 1)]
    """
    found, start, width = [], 0, widest
    while start < count:
        while width > count - start:
            width //= 2
        found.append((start, width))
        start += width
    return found


def blocks(k: Kernel, count: int, widest: int, body: Callable[[Count, int], None]) -> None:
    """`body(start, width)` for all blocks of `count` columns: those of full width in a loop, then what is left."""
    whole = count // widest
    if whole:
        with k.loop(whole) as n:
            body(n * widest, widest)
    for start, width in widths(count - whole * widest, widest):
        body(whole * widest + start, width)


def parts(k: Kernel, count: int, length: int, body: Callable[[Count, int], None]) -> None:
    """`body(start, rows)` for all parts of `count` rows: those of `length` in a loop, then the last one."""
    whole, left = divmod(count, length)
    if whole:
        with k.loop(whole) as n:
            body(n * length, length)
    if left:
        body(whole * length, left)


def sums(k: Kernel, start: Sequence[Value]) -> list[Variable]:
    """Variables for the rows of a tile, which begin as these values."""
    return [k.variable(value) for value in start]


def add_products(totals: Sequence[Variable], ones: Sequence[Pointer], row: Pointer) -> None:
    """Add to each row of a tile one number times a row of numbers."""
    several = row.load(0, totals[0].width)
    for total, one in zip(totals, ones, strict=True):
        total.value = multiply_add(one[0], several, total.value)


def numbered(at: Sequence[Count], steps: Sequence[int]) -> Count:
    """The sum of counters times steps: where an element lies, or which one it is."""
    total: Count = 0
    for i, step in zip(at, steps, strict=False):
        total = total + i * step
    return total
