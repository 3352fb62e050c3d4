"""What layers that are being called should know: whether this is training, which step of it, where extra losses go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.mode import state


class Phase(threading.local):
    """The state of this thread's calls of layers.

    `losses` is where `add_loss` puts its numbers during a training or test step; elsewhere it is None, and the layers
    keep them. `depth` counts the calls that are open, `number` the outermost ones so far. `mask` is that of the last
    Sequential's output, with the model (see `masks.py`). `start` makes the arrays of new weights, from shape and dtype,
    where their values come from elsewhere than their initializers. `drawn` counts, for each layer, how often it has
    drawn random numbers in the training step that `iteration` stands for. `shapes`: only shapes are asked for,
    of arrays with all rows of the data.
    """

    training: bool = False
    iteration: gn.Tensor | None = None
    losses: list[gn.Tensor] | None = None
    depth: int = 0
    number: int = 0
    mask: tuple[Any, gn.Tensor] | None = None
    drawn: dict[Any, int]
    start: Callable[[tuple[int, ...], np.dtype, Any], np.ndarray] | None = None
    shapes: bool = False

    def __init__(self) -> None:
        self.drawn = {}

    def draw(self, layer: Any, times: int = 1) -> int:
        """How often `layer` has drawn in this step before; now it does so this many `times`."""
        count = self.drawn.get(layer, 0)
        self.drawn[layer] = count + times
        return count


phase = Phase()


@contextmanager
def running(
    training: bool, iteration: gn.Tensor | None = None, losses: list[gn.Tensor] | None = None
) -> Iterator[None]:
    """Call layers in this phase: `training`, the count of training steps, which may be symbolic, and a list that
    collects what `add_loss` adds (unless given, it stays the one there is)."""
    before = phase.training, phase.iteration, phase.losses, phase.mask, phase.drawn
    if iteration is not phase.iteration:
        phase.drawn = {}
    phase.training, phase.iteration, phase.mask = training, iteration, None
    if losses is not None:
        phase.losses = losses
    try:
        yield
    finally:
        phase.training, phase.iteration, phase.losses, phase.mask, phase.drawn = before


def assignable(value: gn.Tensor) -> bool:
    """Whether a state can be assigned `value` now: its number is known, or a trace makes the assignment an update.

    It is not where only shapes are asked for, or a graph of symbolic tensors is built: there, nothing may change.
    """
    trace = state.mode.trace
    return not value.is_symbolic or (trace is not None and not trace.looking)


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Call layers on symbolic tensors with all rows of the data, for the shapes and dtypes of what comes out."""
    before, phase.shapes = phase.shapes, True
    try:
        with running(False, losses=[]):
            yield
    finally:
        phase.shapes = before


@contextmanager
def weights_from(start: Callable[[tuple[int, ...], np.dtype, Any], np.ndarray]) -> Iterator[None]:
    """New weights start from `start(shape, dtype, initializer)` instead of what their initializers give."""
    before, phase.start = phase.start, start
    try:
        yield
    finally:
        phase.start = before
