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
        own. Elsewhere each call counts.
        """
        if phase.iteration is not None:
            seed = (seed + phase.draw(layer) * APART) % KEYS
            return phase.iteration * each + seed if each != 1 else phase.iteration + seed
        # Of a loop each step draws the same numbers: the loop is one call.
        with mode(trace=outside(state.mode.trace)):
            key: gn.Tensor = self.count * each + seed
            self.count.assign(self.count + 1)
        return key


def outside(trace: Any) -> Any:
    """The trace around loops."""
    while trace is not None and trace.loop:
        trace = trace.outer
    return trace
