"""What weights must be: functions from a weight's new value to the nearest that is allowed, applied after each update.

Norms are taken along `axis`: 0 for a kernel `(in, units)`, which limits what goes into each unit, and `[0, 1, 2]` for a
kernel `(rows, columns, in, units)`.
"""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn.lookup import Configured, Table

table = Table("constraint")
EPSILON = 1e-7


def get(given: Any) -> Any:
    """The constraint for a word (`"max_norm"`), a class, an object or a function of a tensor; None stays None."""
    return table.get(given)


def norms(w: gn.Tensor, axis: Any) -> gn.Tensor:
    """The norms of the vectors along `axis`, with that axis kept."""
    return gn.norm(w, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=True)


def limit(value: Any, what: str) -> float:
    """`value` as a number that is 0 or more, or an error that names `what`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ValueError(f"{what} is a number, 0 or more; received {value!r}")
    return value


class Constraint(Configured):
    """Base class: calling it with a weight's new value gives the value that is allowed."""

    def __call__(self, w: gn.Tensor) -> gn.Tensor:
        return w


@table.add("maxnorm")
class MaxNorm(Constraint):
    """Vectors along `axis` that are longer than `max_value` are scaled down to it.

    >>> import graphnet as gn
    >>> gn.nn.constraints.MaxNorm(2.0)(gn.tensor([[3.0, 0.3], [4.0, 0.4]])).numpy().round(5).tolist()
    [[1.2, 0.3], [1.6, 0.4]]
    """

    def __init__(self, max_value: float = 2, axis: Any = 0):
        self.max_value, self.axis = limit(max_value, "MaxNorm: max_value"), axis

    def __call__(self, w: gn.Tensor) -> gn.Tensor:
        found = norms(w, self.axis)
        return w * (gn.clip(found, 0.0, self.max_value) / (EPSILON + found))


@table.add("nonneg", "non_negative")
class NonNeg(Constraint):
    """Numbers below 0 become 0."""

    def __call__(self, w: gn.Tensor) -> gn.Tensor:
        return gn.maximum(w, 0.0)


@table.add("unitnorm")
class UnitNorm(Constraint):
    """Vectors along `axis` have length 1."""

    def __init__(self, axis: Any = 0):
        self.axis = axis

    def __call__(self, w: gn.Tensor) -> gn.Tensor:
        return w / (EPSILON + norms(w, self.axis))


@table.add("minmaxnorm")
class MinMaxNorm(Constraint):
    """Vectors along `axis` have lengths from `min_value` to `max_value`.

    With a `rate` below 1 a step goes only that share of the way there.

    Raises `ValueError` for limits that are negative or in the wrong order, and a rate outside [0, 1].
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0):
        self.min_value = limit(min_value, "MinMaxNorm: min_value")
        self.max_value = limit(max_value, "MinMaxNorm: max_value")
        if min_value > max_value:
            raise ValueError(f"MinMaxNorm: min_value={min_value!r} is more than max_value={max_value!r}")
        self.rate, self.axis = limit(rate, "MinMaxNorm: rate"), axis
        if rate > 1:
            raise ValueError(f"MinMaxNorm: rate is a share from 0 to 1; received {rate!r}")

    def __call__(self, w: gn.Tensor) -> gn.Tensor:
        found = norms(w, self.axis)
        wanted = self.rate * gn.clip(found, self.min_value, self.max_value) + (1 - self.rate) * found
        return w * (wanted / (EPSILON + found))


# Their names in scripts for older versions of Keras.
max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
