"""The array of a node: known or not yet, and whether it may leave the graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.escape import line
from graphnet.mode import reached_elsewhere, state

Shape = tuple[int, ...]
ndarray = np.ndarray


class Spec:
    """The shape and dtype of an array that is not known yet."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Shape, dtype: np.dtype):
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        total = 1
        for n in self.shape:
            total *= n
        return total


WEAK: frozenset[Any] = frozenset({float, int, bool})


def native(dtype: Any) -> np.dtype:
    """A dtype in this machine's byte order: NumPy's own object for it, if it has one.

    NumPy compares the dtypes of arrays that share memory as objects: with an equal one it takes an operation in place
    for one on arrays that overlap, and copies.
    """
    kind = np.dtype(dtype)
    return np.dtype(kind.char) if kind.kind in "biufc" else kind.newbyteorder("=")


def known(t: Any) -> np.ndarray:
    """The array of `t`, or an error if `t` is symbolic."""
    value = t._value
    if value.__class__ is Spec:
        label = f"{t.name!r} " if t.name else ""
        if state.mode.trace is not None and state.mode.trace.rows is not None:
            raise ValueError(
                f"the value of {label}({value.dtype}{list(value.shape)}) is not known: gn.vmap runs the function once, "
                "for all rows together; write gn.where instead of if, gn.scan instead of a loop that needs a number, "
                "and gn's functions instead of math's and NumPy's"
            )
        raise ValueError(
            f"the value of the symbolic tensor {label}({value.dtype}{list(value.shape)}) is not known yet: "
            "build a Graph from it and call that with arrays; in a function that is traced or compiled, write gn.where "
            "instead of if, gn.scan instead of a loop that needs a number, and gn's functions instead of math's"
        )
    return value


#: what to write instead of something that takes a tensor out of the graph
STAYING = (
    "Compute on with tensors (gn.sin instead of math.sin, gn.stack or gn.tensor instead of np.array, gn.set_at instead "
    "of an assignment into an array); for a value without a gradient, write gn.stop_gradient(x) or x.detach()"
)


def leaving(t: Any, how: str) -> np.ndarray:
    """The array of `t` for code that knows nothing of graphs (`how` it is asked for), or an error where that is wrong.

    Inside of a function that is being differentiated, and of the forward part of a training step, what depends on the
    variables stays in the graph: its gradient would be lost. For functions that holds on threads which they use, too.
    """
    m = state.mode
    if not t.requires_grad and m.plain and t._value.__class__ is ndarray:
        return t._value
    if t.requires_grad and m.recording:
        around = (m.within and m.within.reached(t)) or reached_elsewhere(t)
        if around is not None:
            raise TypeError(
                f"{how} takes a tensor out of the graph, and its gradient would be lost: it depends on what "
                f"{around.what} differentiates for. {STAYING}"
            )
        if m.within is not None and m.within.left is not None:
            m.within.left.append((t, how))
    return settled(t, how)


def settled(t: Any, how: str) -> np.ndarray:
    """The array of `t`, or an error if it is symbolic, or a Parameter in a trace, which would fix its value."""
    trace = state.mode.trace
    if trace is not None and not (trace.looking or trace.fixed) and t._mutable:
        raise ValueError(
            f"{how} of the Parameter {line(t.name or '')} ({t.dtype}{list(t.shape)}) in a function that is traced or "
            "compiled: its value is not known yet, since it can change between two calls; write gn.where instead of "
            "if, and gn's functions instead of math's and NumPy's"
        )
    return known(t)
