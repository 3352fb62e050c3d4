"""The step of a loop as a closed graph: what is carried, what comes in and goes out at each step, what stays the same.

Bodies are interned: two steps that compute the same are one object, so that what is found out about a body (its
derivative, its plan) is found out once, however often a loop is built.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet import forks, shapes
from graphnet.arrays import Spec
from graphnet.computed import computed
from graphnet.graph import Graph
from graphnet.loops.closing import Interned, closed, key_of
from graphnet.node import Tensor
from graphnet.parts import Block

_known: Interned[Body] = Interned()


class Body:
    """One step: `(carries, xs, constants) -> (new carries, ys, sums)`, all arrays of one floating-point dtype.

    A loop keeps the last of each carry, stacks the `ys` of all steps and adds up the `sums`. `xs` are one row of each
    stacked input (of any dtype); `constants` are the same at each step (of any dtype).
    """

    def __init__(self, graph: Graph, carries: int, xs: int, ys: int):
        self.graph = graph
        self.carries, self.xs, self.ys = carries, xs, ys
        self.constants = len(graph.inputs) - carries - xs
        self.sums = len(graph.outputs) - carries - ys
        self.derived: dict[Any, Any] = {}
        self.lock = threading.RLock()
        forks.follow(self)

    def forked(self) -> None:
        """In a forked process nobody derives anything of it."""
        self.lock = threading.RLock()

    @computed
    def dtype(self) -> np.dtype:
        """The dtype of everything that is carried or goes out."""
        return self.graph.outputs[0].dtype

    @property
    def can_fail(self) -> bool:
        """Whether a step can fail because of a value."""
        return any(t.op is not None and t.op.can_fail(t.inputs, t.attrs) for t in self.graph.nodes)

    def blocks(self, length: int) -> list[Block]:
        """Where the outputs lie in the flat result, in their order: carries, ys, sums."""
        found, start = [], 0
        for place, t in enumerate(self.graph.outputs):
            stacked = self.carries <= place < self.carries + self.ys
            shape = (length, *t.shape) if stacked else t.shape
            found.append(Block(start, start + shapes.size(shape), shape))
            start = found[-1].stop
        return found

    def size(self, length: int) -> int:
        """The number of elements of the flat result."""
        return self.blocks(length)[-1].stop

    def __repr__(self) -> str:
        return f"<Body of {len(self.graph)} nodes>"

    def __getstate__(self) -> dict[str, Any]:
        return {"graph": self.graph, "carries": self.carries, "xs": self.xs, "ys": self.ys}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        Body.__init__(self, **saved)


def interned(inputs: Sequence[Tensor], outputs: Sequence[Tensor], carries: int, xs: int, ys: int) -> Body:
    """The body that computes `outputs` from `inputs`: the one there is, or a new one of fresh nodes.

    Inputs stand for themselves, whatever they were made from; all other leaves are small constants.
    """
    graph = closed(inputs, outputs)
    return _known.get((carries, xs, ys, key_of(graph)), lambda: Body(graph, carries, xs, ys))


def spec(body: Body, length: int) -> Spec:
    """The flat result of a loop."""
    return Spec((body.size(length),), body.dtype)
