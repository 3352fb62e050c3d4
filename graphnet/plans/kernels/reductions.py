"""Reductions in a loop: totals in variables or in memory, the positions of extremes, and parts that become one.

What goes over all inner axes is complete at the end of a row and stays in a variable till then. What goes over outer
axes is added up in memory, row by row, and complete after the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from graphnet.node import Tensor
from graphnet.ops.reduce import mean
from graphnet.plans.kernels.calls import Key
from graphnet.plans.kernels.layout import Layout
from graphnet.plans.kernels.loops import Loops
from graphnet.plans.nest.functions import any_order, largest, smallest
from graphnet.plans.nest.language import Kernel, Variable
from graphnet.plans.nest.values import BOOL, INT64, Value, where
from graphnet.plans.order.fusion import LONG_SUM, reduced_axes

_EXTREMES = (np.maximum, np.minimum)
#: how one more value joins a total: sums and products in any order, which lets several terms be added at once
_FOLDS: dict[np.ufunc, Callable[[Value, Value], Value]] = {
    np.add: lambda total, x: any_order("add", total, x),
    np.multiply: lambda total, x: any_order("mul", total, x),
    np.logical_or: lambda total, x: total | x,
    np.logical_and: lambda total, x: total & x,
    np.maximum: largest,
    np.minimum: smallest,
}


def _lowest(dtype: np.dtype, largest: bool) -> Any:
    """What the search for the largest (or smallest) begins with: no value is below (or above) it."""
    if dtype.kind == "f":
        return -math.inf if largest else math.inf
    if dtype == BOOL:
        return not largest
    return np.iinfo(dtype).min if largest else np.iinfo(dtype).max


def count_of(t: Tensor) -> int:
    """How many values a reduction takes for each of its results."""
    return math.prod(t.inputs[0].shape[a] for a in reduced_axes(t))


def dtype_of_total(t: Tensor, count: int) -> np.dtype:
    """What `count` values are added up in."""
    adds = t.op is not None and t.op.fold is np.add
    return np.dtype(np.float64) if adds and t.dtype == np.float32 and count > LONG_SUM else t.dtype


def identity(t: Tensor, dtype: np.dtype) -> Any:
    """What a total begins with."""
    assert t.op is not None
    fold = t.op.fold
    assert fold is not None
    return _lowest(dtype, fold is np.maximum) if fold in _EXTREMES else fold.identity


def combined(t: Tensor, total: Value, x: Value) -> Value:
    """`total` and one more value of the reduction `t`."""
    assert t.op is not None
    assert t.op.fold is not None
    return _FOLDS[t.op.fold](total, x.cast(total.dtype))


def finished(t: Tensor, total: Value) -> Value:
    """What the total comes to: for a mean, divided by the count."""
    assert t.op is not None
    return (total / count_of(t) if t.op is mean.op else total).cast(t.dtype)


class _Extreme(NamedTuple):
    """The best value up to here, and where it was."""

    best: Variable
    at: Variable


class Reductions(Loops):
    """Writes the reductions of a group. `late` are those over outer axes; `own` is where the stored nodes lie.

    `rows` are the values that are known in the present row, `totals` the variables of results without axes.
    """

    def __init__(
        self,
        layout: Layout,
        key: Callable[[Tensor], Key],
        names: Mapping[Tensor, str],
        comment: Callable[[Tensor], str],
    ):
        super().__init__(layout.axes, layout.heavy, comment)
        self.layout, self.key, self.names = layout, key, names
        self.group, self.own, self.late = layout.group, layout.own, layout.late
        self.rows: dict[Tensor, Value] = {}
        self.totals: dict[Tensor, Variable] = {}

    def shown(self, t: Tensor, n: int) -> str:
        """An operand as the text for people has it."""
        raise NotImplementedError

    # In variables, along a row.

    def in_variable(self, t: Tensor) -> bool:
        """Whether a reduction of full values goes over all inner axes."""
        gone = {self.group.over[t][a] for a in reduced_axes(t)}
        return all(a in gone for a in self.group.inner())

    def begin(self, t: Tensor) -> Variable | _Extreme:
        """The variables of a reduction over a row."""
        assert t.op is not None
        if t.op.position:
            x = t.inputs[0].dtype
            return _Extreme(self.k.variable(_lowest(x, t.op.fold is np.maximum), x), self.k.variable(0, INT64))
        dtype = dtype_of_total(t, math.prod(self.group.domain[a] for a in self.group.inner()))
        return self.k.variable(identity(t, dtype), dtype)

    def add(self, t: Tensor, x: Value, total: Variable | _Extreme) -> None:
        """One more value of a row."""
        assert t.op is not None
        self.note(f"{self.names[t]} = {t.op.name} of {self.shown(t, 0)}", t)
        if isinstance(total, Variable):
            total.value = combined(t, total.value, x)
            return
        top, place = total.best.value, total.at.value
        better = x > top if t.op.fold is np.maximum else x < top
        if x.dtype.kind == "f":
            # The first NaN wins, as in NumPy.
            better = better | ((x != x) & (top == top))
        here = self.k.index(self.index[self.group.inner().start])
        total.best.value = where(better, x, top)
        total.at.value = where(better, here, place)

    def end(self, t: Tensor, total: Variable | _Extreme) -> None:
        """A reduction over the inner axes is complete for this row."""
        found = total.value if isinstance(total, Variable) else total.at.value
        if t in self.group.late:
            self.add_in_memory(t, found)
            return
        value = finished(t, found)
        self.rows[t] = value
        if t in self.own:
            self.store(value, self.own[t])

    # Over rows.

    def add_in_memory(self, t: Tensor, x: Value) -> None:
        """One more value of a reduction over outer axes."""
        if t in self.totals:
            self.totals[t].value = combined(t, self.totals[t].value, x)
        else:
            address = self.address(self.own[t])
            address.store(combined(t, address.load(), x))
        self.note(f"{self.names[t]} = {t.op.name if t.op else ''} with {self.shown(t, 0)}", t)

    def begin_totals(self) -> None:
        """What reductions over outer axes begin with."""
        for t in self.late:
            if t.size == 1:
                dtype = dtype_of_total(t, LONG_SUM + 1)
                self.totals[t] = self.k.variable(identity(t, dtype), dtype)
            else:
                result = self.pointer(self.key(t), t.dtype)
                with self.k.loop(t.size) as i:
                    result[i] = identity(t, t.dtype)

    def end_totals(self) -> None:
        """Reductions over outer axes are complete, if the kernel went over all rows."""
        for t in self.late:
            result = self.pointer(self.key(t), t.dtype)
            if t.size == 1:
                total = self.totals[t].value
                result[0] = total if self.part is not None else finished(t, total)
            elif self.part is None and t.op is mean.op:
                with self.k.loop(t.size) as i:
                    result[i] = finished(t, result[i])


def joining(t: Tensor) -> Kernel:
    """A kernel that adds the results of the other parts, which lie one after the other, to that of the first.

    Its arguments are how many others there are, the first, and the others.
    """
    k = Kernel("join")
    count = k.counter_argument("count")
    first, others = k.pointer(t.dtype, "first"), k.pointer(t.dtype, "others")
    with k.loop(t.size) as i:
        total = k.variable(first[i])
        with k.loop(count) as n:
            total.value = combined(t, total.value, others[n * t.size + i])
        first[i] = finished(t, total.value)
    return k
