"""A run of native steps again and again, as one native function: what a loop calls for many steps at once.

A run finds arrays that are known at the call only through array objects, whose data pointer it reads. Here a number
stands where it looks for that pointer, a cell. Each turn moves the cells on: to the next row, to and fro between two
arrays, or nowhere.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from graphnet.plans.blas_threads import clock
from graphnet.plans.code.exports import data_offset

if TYPE_CHECKING:
    from graphnet.plans.code.exported import Exported

#: `turns(table, cells, masks, moves, count)`
Turns = Callable[[int, int, int, int, int], None]
#: of the exported function, in the module and among its functions
NAME, KEY = "turns", "k_turns"
#: seconds that one call of native code should take at most, so that an interrupt is noticed
LONGEST = 0.02


def turning(run: Exported, cells: int) -> Exported:
    """The function that calls `run` `count` times, and after each replaces every cell by `(cell ^ mask) + move`."""
    # Plans on NumPy do without the loop language.
    from graphnet.plans.code.exported import Exported
    from graphnet.plans.nest.values import INT64

    made = Exported(NAME, ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, ctypes.c_int64))
    k = made.kernel
    # The run reads the cells too, by way of the table.
    at = k.pointer(INT64, "cells", noalias=False)
    masks, moves = k.pointer(INT64, "masks"), k.pointer(INT64, "moves")
    count = k.counter_argument("count")
    with k.loop(count):
        k.call(run.kernel, made.table)
        with k.loop(cells) as n:
            at[n] = (at[n] ^ masks[n]) + moves[n]
    return made


class Turning:
    """A native run that is called for many steps.

    `keys` are what has a cell, by number: what its table has no address for. `table` is the run's own. `cells`, `masks`
    and `moves` are set before the first turn, and `cells` holds what the next one begins with.
    """

    def __init__(self, turns: Turns, slots: dict[Hashable, int], keys: Sequence[Hashable], table: Sequence[int]):
        self.turns, self.keys = turns, list(keys)
        self.cells, self.masks, self.moves = (np.zeros(len(self.keys), np.int64) for _ in range(3))
        self.table = np.array(table, np.int64)
        start = address(self.cells) - data_offset()
        for n, key in enumerate(self.keys):
            self.table[slots[key]] = start + n * self.cells.itemsize
        self._given = tuple(map(address, (self.table, self.cells, self.masks, self.moves)))

    def run(self, count: int) -> None:
        """`count` turns."""
        table, cells, masks, moves = self._given
        # Pieces, between which the interpreter sees an interrupt.
        piece = 64
        while count > piece:
            begun = clock()
            self.turns(table, cells, masks, moves, piece)
            count -= piece
            if clock() - begun < LONGEST / 4:
                piece *= 4
        if count:
            self.turns(table, cells, masks, moves, count)


def address(a: np.ndarray) -> int:
    """Where the first element of an array lies."""
    return ctypes.c_ssize_t.from_address(id(a) + data_offset()).value
