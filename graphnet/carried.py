"""Nodes whose gradient is computed by an object that they carry: what `custom_gradient` and `checkpoint` are made of.

The outputs of such a function are one node, flat if there are several, so that its gradient is asked for once, with the
gradients of all outputs. What the object (`call`) knows is a function of the node's inputs and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet.apply import apply_prepared
from graphnet.arrays import Spec
from graphnet.batching import over
from graphnet.container_parts import is_numbers
from graphnet.declare import op
from graphnet.leaves import symbolic
from graphnet.mode import mode
from graphnet.node import Tensor, constant
from graphnet.ops.reduce import sum as sum_op
from graphnet.ops.shaping import broadcast_to
from graphnet.parts import Packing
from graphnet.record import Joint


def _custom_slopes(wanted: Sequence[int], g: Any, y: Any, *inputs: Any, call: Any) -> list[Any]:
    return _asked(call, wanted, g, inputs)


def _attached_slopes(wanted: Sequence[int], g: Any, y: Any, first: Any, *inputs: Any, call: Any) -> list[Any]:
    found = iter(_asked(call, [p - 1 for p in wanted if p], g, inputs))
    return [next(found) if p else None for p in wanted]


def _asked(call: Any, wanted: Sequence[int], g: Any, inputs: Sequence[Any]) -> list[Any]:
    """The gradients for the inputs `wanted`: tensors, or arrays where `g` is one."""
    if isinstance(g, Tensor):
        found: list[Any] = call.slopes(wanted, call.packing.gradients(g), inputs, True)
        return found
    with mode(raw=False, recording=False, strict=False, within=None):
        arrays = [constant(np.asarray(a)) for a in inputs]
        slopes = call.slopes(wanted, call.packing.gradients(np.asarray(g)), arrays, False)
        return [h if h is None else h._value for h in slopes]


def _custom_each(batch: Sequence[bool], *inputs: Tensor, call: Any) -> Any:
    count = next(x.shape[0] for x, wide in zip(inputs, batch, strict=True) if wide)
    specs = [Spec(x.shape[wide:], x.dtype) for x, wide in zip(inputs, batch, strict=True)]
    each = _Each(call, batch, inputs, count, call.infer(specs))
    return apply_prepared(custom.op, inputs, {"call": each})


def _attached_each(batch: Sequence[bool], y: Tensor, *inputs: Tensor, call: Any) -> Any:
    count = next(x.shape[0] for x, wide in zip((y, *inputs), batch, strict=True) if wide)
    y = y if batch[0] else broadcast_to(y, (count, *y.shape))
    each = _Each(call, batch[1:], inputs, count, Spec(y.shape[1:], y.dtype))
    return apply_prepared(attached.op, (y, *inputs), {"call": each})


@op(
    lambda *inputs, call: call.infer(inputs).shape,
    dtype=lambda *inputs, call: call.infer(inputs).dtype,
    vjp=Joint(_custom_slopes),
    batch=_custom_each,
    may_raise=True,
    hidden=True,
)
def custom(*inputs: Any, call: Any) -> Any:
    """A function of eager tensors with a gradient of its own: `call` computes both."""
    return call.forward(inputs)


@op(
    lambda y, *inputs, call: y.shape,
    dtype=lambda y, *inputs, call: y.dtype,
    vjp=Joint(_attached_slopes),
    batch=_attached_each,
    may_raise=True,
)
def attached(*inputs: Any, call: Any) -> Any:
    """The first input; its gradient goes to the others, as `call` says."""
    return inputs[0]


class Call:
    """What both kinds of calls share: the outputs that the node was made with, given out once."""

    packing: Packing
    specs: list[tuple[Any, Any]]
    ready: Any

    def forward(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        ready, self.ready = self.ready, None
        if ready is not None:
            return ready
        with mode(raw=False, recording=False, trace=None, strict=False, within=None):
            flat = self.computed([constant(np.asarray(a)) for a in arrays])
            return flat._value if isinstance(flat, Tensor) else flat

    def infer(self, inputs: Sequence[Spec]) -> Spec:
        if [(s.shape, s.dtype) for s in inputs] == self.specs:
            return self.packing.spec
        with mode(raw=False, trace=None, debug=None, within=None):
            flat = self.computed([symbolic(s.shape, s.dtype) for s in inputs])
        return Spec(flat.shape, flat.dtype)

    def computed(self, inputs: Sequence[Tensor]) -> Any:
        """The outputs for these inputs, as one."""
        raise NotImplementedError


class _Each(Call):
    """`call` for each place of a batch, which those of the inputs have where `batch` says so."""

    def __init__(self, call: Any, batch: Sequence[bool], inputs: Sequence[Tensor], count: int, one: Spec):
        self.call, self.batch, self.count = call, tuple(batch), count
        self.packing = Packing([Spec((count, *one.shape), one.dtype)])
        self.specs = [(x.shape, x.dtype) for x in inputs]
        self.ready = None

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Each)
            and (self.batch, self.count) == (other.batch, other.count)
            and self.call == other.call
        )

    def __hash__(self) -> int:
        return hash((self.call, self.batch, self.count))

    def __repr__(self) -> str:
        return f"{self.call!r} for {self.count} rows"

    def computed(self, inputs: Sequence[Tensor]) -> Any:
        return over(lambda ones: [self.call.computed(ones)], self.batch, inputs)[0]

    def slopes(self, wanted: Sequence[int], gs: Sequence[Tensor], inputs: Sequence[Tensor], graph: bool) -> list[Any]:
        answered: list[int] = []

        def one(given: list[Tensor]) -> list[Tensor]:
            g, *xs = given
            found = self.call.slopes(wanted, self.call.packing.gradients(g), xs, True)
            answered[:] = [n for n, h in enumerate(found) if h is not None]
            return [found[n] for n in answered]

        hs = over(one, (True, *self.batch), (*gs, *inputs))
        slopes: list[Any] = [None] * len(wanted)
        for n, h in zip(answered, hs, strict=True):
            # What all places share has the sum of their gradients.
            slopes[n] = h if self.batch[wanted[n]] else sum_op(h, axis=0)
        return slopes


def is_array(leaf: Any) -> bool:
    """Whether a leaf of an argument becomes a tensor: an array, or a list of numbers that are not all whole.

    A list of whole numbers or booleans (a shape, axes) has no gradient, and stays what it is.
    """
    if isinstance(leaf, np.ndarray):
        return leaf.dtype.kind in "biufc"
    if isinstance(leaf, list):
        return is_numbers(leaf) and not _is_whole(leaf)
    return isinstance(leaf, memoryview) or (
        hasattr(leaf, "__array__") and not isinstance(leaf, (Tensor, np.generic, type))
    )


def _is_whole(leaf: Any) -> bool:
    if isinstance(leaf, list):
        return all(map(_is_whole, leaf))
    return isinstance(leaf, (int, np.integer, np.bool_))
