"""Which random numbers a layer draws: a key for each call, from its seed, the training step and a count of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.mode import mode, state
from graphnet.nn.phase import phase

#: between the keys of one layer's calls in a step: odd, and with no pattern in its bits
APART = 0x9E3779B97F4A7C15
KEYS = 1 << 62


class Draws:
    """What counts its calls in a state, `count`, that a step which fails puts back."""

    count: gn.Parameter


class Calls(Draws):
    """How often a layer has drawn outside of training steps: a state that plans read and move, and no weight."""

    def __init__(self, count: int = 0):
        self.count = gn.Parameter(np.int64(count), trainable=False)

    def __int__(self) -> int:
        return int(self.count.numpy())

    def key(self, seed: int, layer: Any, each: int = 1) -> gn.Tensor:
        """The key of a call of `layer`, which may use `each` keys from there on.

        In a training step it is the count of steps beside the seed; a second call in the same step has a seed of its
        own. Elsewhere each call counts. In a `gn.vmap` it is a call for each row.
        """
        rows, number = _rows(state.mode.trace)
        if phase.iteration is not None:
            first = phase.draw(layer, rows)
            own: Any = [(seed + n * APART) % KEYS for n in range(first, first + rows)]
            own = own[0] if number is None else gn.tensor(np.array(own, np.int64))[number]
            return phase.iteration * each + own if each != 1 else phase.iteration + own
        # Of a loop each step draws the same numbers: the loop is one call.
        with mode(trace=outside(state.mode.trace)):
            key: gn.Tensor = self.count * each + seed
            self.count.assign(self.count + rows)
        return key if number is None else key + number * each


def _rows(trace: Any) -> tuple[int, Any]:
    """How many rows the function that is traced runs for, and the number of its own; 1 and None outside of `vmap`."""
    count, number = 1, None
    while trace is not None and trace.loop:
        if trace.rows is not None:
            number = trace.rows.number if number is None else trace.rows.number * count + number
            count *= trace.rows.count
        trace = trace.outer
    return count, number


def outside(trace: Any) -> Any:
    """The trace around loops."""
    while trace is not None and trace.loop:
        trace = trace.outer
    return trace
