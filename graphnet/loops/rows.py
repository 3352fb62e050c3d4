"""Where native code finds the arrays of each step of a loop: an address for each, and how it moves on.

What is fed and what comes out are rows, of which the next is one row further. A carry that is not stacked goes to and
fro between two arrays; one that is lives in the rows of that stack. What is the same at each step stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np

from graphnet.leaves import Parameter
from graphnet.loops.body import Body
from graphnet.plans.code.turns import address
from graphnet.plans.running import Running


class Layout:
    """The cells of the native code of `body`, for any length.

    `homes` are the carries that live in the rows of a stack, with the number of that output; `place_of` says which
    output a parameter of the plan stands for. Addresses are sums of the address of an array and an offset; the arrays
    are the inputs, the flat result, and scratch memory for carries.
    """

    def __init__(self, body: Body, homes: Mapping[int, int], place_of: Mapping[Parameter, int], running: Running):
        assert running.turning is not None
        self.body, self.homes, self.turning = body, dict(homes), running.turning
        graph, size = body.graph, body.dtype.itemsize
        first, last = body.carries, body.carries + body.ys
        sizes = [t.nbytes for t in graph.outputs]
        # A block of the result begins at `fixed + length * per_step` bytes.
        self.fixed = [*accumulate([*sizes[:first], *[0] * body.ys, *sizes[last:]], initial=0)]
        self.per_step = [*[0] * first, *accumulate(sizes[first:last], initial=0)]
        self.per_step += [self.per_step[-1]] * body.sums
        #: where each carry lies in scratch memory
        self.scratch = [*accumulate(sizes[:first], initial=0)]
        self.sizes, self.size = sizes, size
        inputs = {t: n for n, t in enumerate(running.code.graph.inputs)}
        self.cells = [(inputs[k], True) if k in inputs else (place_of[k], False) for k in self.turning.keys]  # type: ignore[index]

    def run(self, flat: np.ndarray, given: Sequence[np.ndarray], length: int, reverse: bool) -> None:
        """All steps, from the arrays `given` to the flat result."""
        body, turning = self.body, self.turning
        first, stacked = body.carries, body.carries + body.ys
        scratch = np.empty(self.scratch[-1] // self.size, body.dtype)
        result, aside = address(flat), address(scratch)
        step, top = (-1, length - 1) if reverse else (1, 0)
        begins = [result + f + length * p for f, p in zip(self.fixed, self.per_step, strict=False)]
        cells, masks, moves = [], [], []
        ends: list[tuple[int, int]] = []
        for n, (number, is_input) in enumerate(self.cells):
            mask = 0
            if number < first:
                row = self.sizes[number]
                if number in self.homes:
                    at = begins[self.homes[number]] + (top + (0 if is_input else step)) * row
                    move = step * row
                    if not is_input:
                        ends.append((n, begins[number]))
                else:
                    # The last step writes to the result.
                    pair = begins[number], aside + self.scratch[number]
                    at, move, mask = pair[(length + is_input + 1) % 2], sum(pair) + 1, -1
            elif is_input:
                at, move = address(given[number]), 0
                if number < first + body.xs:
                    row = given[number].strides[0]
                    at, move = at + top * row, step * row
            else:
                row = self.sizes[number] if number < stacked else 0
                at, move = begins[number] + top * row, step * row
            cells.append(at)
            masks.append(mask)
            moves.append(move)
        turning.cells[:], turning.masks[:], turning.moves[:] = cells, masks, moves
        self._begin(flat, scratch, given, length, top)
        turning.run(length - 1 if ends else length)
        if ends:
            for n, at in ends:
                turning.cells[n] = at
            turning.run(1)

    def _begin(self, flat: np.ndarray, scratch: np.ndarray, given: Sequence[np.ndarray], length: int, top: int) -> None:
        """Put the carries where the first step reads them, and zeros where sums are added up."""
        body, size = self.body, self.size
        for number in range(body.carries):
            start, count = given[number].reshape(-1), self.sizes[number] // size
            home = self.homes.get(number)
            if home is not None:
                at, to = (self.fixed[home] + length * self.per_step[home] + top * self.sizes[number]) // size, flat
            elif length % 2:
                at, to = self.scratch[number] // size, scratch
            else:
                at, to = self.fixed[number] // size, flat
            to[at : at + count] = start
        flat[self.fixed[body.carries] // size + length * self.per_step[-1] // size :] = 0
