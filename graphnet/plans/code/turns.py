"""A run of native steps again and again, as one native function: what a loop calls for many steps at once.

A run finds arrays that are known at the call only through array objects, whose data pointer it reads. Here a number
stands where it looks for that pointer, a cell. Each turn moves the cells on: to the next row, to and fro between two
arrays, or nowhere.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np

from graphnet.plans.blas_threads import clock
from graphnet.plans.code.exports import Exported, data_offset
from graphnet.plans.nest.values import INT64

#: `turns(table, cells, masks, moves, count)`
Turns = Callable[[int, int, int, int, int], None]
#: of the exported function, in the module and among its functions
NAME, KEY = "turns", "k_turns"
#: seconds that one call of native code should take at most, so that an interrupt is noticed
LONGEST = 0.02


def turning(run: Exported, cells: int) -> Exported:
    """The function that calls `run` `count` times, and after each replaces every cell by `(cell ^ mask) + move`."""
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


class Cells(NamedTuple):
    """What moves from turn to turn: addresses where the first turn finds its arrays, and how they change."""

    first: np.ndarray
    masks: np.ndarray
    moves: np.ndarray

    @staticmethod
    def of(count: int) -> Cells:
        """Cells that stay where they are."""
        return Cells(*(np.zeros(count, np.int64) for _ in range(3)))


class Turning:
    """A native run that is called for many steps.

    `keys` are what has a cell, by number: what its table has no address for. `table` is the run's own.
    """

    def __init__(self, turns: Turns, slots: dict[Hashable, int], keys: Sequence[Hashable], table: Sequence[int]):
        self.turns, self.keys = turns, list(keys)
        self.cells = np.zeros(len(self.keys), np.int64)
        self.table = np.array(table, np.int64)
        start = _address(self.cells) - data_offset()
        for n, key in enumerate(self.keys):
            self.table[slots[key]] = start + n * self.cells.itemsize

    def run(self, cells: Cells, count: int) -> None:
        """`count` turns, which begin with `cells.first`; that holds what the next turn would begin with."""
        self.cells[...] = cells.first
        table, at, masks, moves = (_address(a) for a in (self.table, self.cells, cells.masks, cells.moves))
        # Pieces, between which the interpreter sees an interrupt.
        piece = 64
        while count:
            piece = min(piece, count)
            begun = clock()
            self.turns(table, at, masks, moves, piece)
            count -= piece
            if clock() - begun < LONGEST / 4:
                piece *= 4
        cells.first[...] = self.cells


def _address(a: np.ndarray) -> int:
    found: int = a.__array_interface__["data"][0]
    return found
