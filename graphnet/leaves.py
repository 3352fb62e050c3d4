"""The leaves of a graph: `Parameter`, which can be assigned, `input`, which is symbolic, and variables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from graphnet.arrays import Shape, Spec, known, native
from graphnet.escape import line
from graphnet.fitting import fitted
from graphnet.mode import caller_site, state
from graphnet.node import Tensor, as_array, constant, new, tick

#: what variables have that a derivative makes for one call: nobody else asks for gradients with respect to those
OF_A_CALL: dict[str, Any] = {}


class Parameter(Tensor):
    """A leaf that learns: its array can be replaced with `assign`, and gradients are taken with respect to it.

    A gradient of a history that used the value from before an `assign` raises instead of being wrong.

    `trainable=False` makes it state that only `assign` changes (a moving average, say).

    >>> import graphnet as gn
    >>> w = gn.Parameter([[1.0, 2.0]], name="w")
    >>> w.assign([[3.0, 4.0]])
    >>> w
    Parameter([[3., 4.]], name='w')
    """

    __slots__ = ("_changed", "_lock")
    _mutable = True
    #: how many there have been: who has listed those of a model need not look again while there is no new one
    _made = 0
    _changed: int
    _lock: Any

    def __init__(self, data: Any, dtype: Any = None, name: str | None = None, trainable: bool = True):
        value = as_array(data, dtype, copy=True)
        if trainable and value.dtype.kind != "f":
            if value.dtype.kind not in "iu" or dtype is not None:
                raise TypeError(f"a Parameter holds floating-point numbers; received {value.dtype}")
            value = value.astype(np.float64)
        self._value = value
        self.requires_grad = bool(trainable)
        self._tick = tick()
        self._changed = 0
        Parameter._made += 1
        self.op = None
        self.name = name

    def assign(self, value: Any) -> None:
        """Replace the array. The shape must be the same; the dtype is kept.

        Inside a trace a symbolic `value` becomes an update of the traced graph, carried out at each call.

        Raises `ValueError` for another shape, `TypeError` for fractions where it holds whole numbers, `OverflowError`
        for whole numbers that its dtype does not hold.
        """
        current = state.mode.trace
        if isinstance(value, Tensor):
            if value.shape != self.shape:
                raise ValueError(self._mismatch(value.shape))
            if current is not None:
                current.assign(self, value)
                return
            array = known(value)
        else:
            array = np.asarray(value)
            if array.shape != self.shape:
                raise ValueError(self._mismatch(array.shape))
            if current is not None:
                current.assign(self, constant(fitted(self._what(), value, self.dtype)))
                return
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{line(self.name or 'a Parameter')} holds {self.dtype}; received {array.dtype}")
        if self.dtype.kind != "f":
            array = fitted(self._what(), array if isinstance(value, Tensor) else value, self.dtype)
        # Row after row, whatever the order of what was given: plans rely on it.
        self._value = np.array(array, dtype=self.dtype, copy=True, order="C")
        self._changed = tick()

    def assign_add(self, value: Any) -> None:
        """`assign(self + value)`."""
        self.assign(self + value)

    def assign_sub(self, value: Any) -> None:
        """`assign(self - value)`."""
        self.assign(self - value)

    def _mismatch(self, shape: Shape) -> str:
        return f"{self._what()}: its shape is {self.shape}; received {shape}"

    def _what(self) -> str:
        return f"assign to {line(self.name or 'a Parameter')}"

    def touched(self) -> np.ndarray:
        """Its array, to write to in place; histories that used it are void from now on.

        It is a copy of the one before, which others may hold.
        """
        self._changed = tick()
        self._value = self._value.copy()
        return self._value


KINDS: frozenset[Any] = frozenset({Tensor, Parameter})


def variable(array: np.ndarray) -> Tensor:
    """`array`, not copied, as a leaf that gradients are taken with respect to by the call that makes it."""
    t = constant(array)
    t.requires_grad, t.attrs = True, OF_A_CALL
    t._tick = tick()
    return t


def symbolic(shape: Shape, dtype: np.dtype, name: str | None = None) -> Tensor:
    """A symbolic leaf."""
    t = new(Tensor)
    dtype = native(dtype)
    t._value = Spec(shape, dtype)
    t.requires_grad = dtype.kind == "f"
    t.op = None
    t.name = name
    t._tick = tick()
    t._code, t._lasti = caller_site()
    return t


def input(shape: int | Iterable[int], dtype: Any = "float32", name: str | None = None) -> Tensor:
    """A symbolic tensor of `shape` and `dtype`: a leaf of a graph whose array is given when the graph is called.

    >>> import graphnet as gn
    >>> x = gn.input((2, 3), name="x")
    >>> (x * 2).shape
    (2, 3)
    """
    sizes = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 0 for n in sizes):
        raise ValueError(f"the shape of an input is a tuple of sizes, each 0 or more; received {shape!r}")
    kind = native(dtype)
    if kind.kind not in "biuf":
        raise TypeError(f"an input holds numbers or booleans; received dtype {kind}")
    return symbolic(tuple(int(n) for n in sizes), kind, name)
