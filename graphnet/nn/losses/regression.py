"""Losses between numbers: errors squared, absolute, relative, and mixed; and the angle between vectors."""

from __future__ import annotations

import math
from typing import Any

import graphnet as gn
from graphnet.nn.losses.base import SUM, FunctionLoss, at_least, table
from graphnet.nn.targets import compared, mean_along
from graphnet.nn.unit import EPSILON, unit


def mean_squared_error(y_true: Any, y_pred: Any) -> gn.Tensor:
    """`mean((y_pred - y_true)**2)` over the last axis."""
    y, p = compared(y_true, y_pred, "mean_squared_error")
    d = p - y
    return mean_along(d * d)


def mean_absolute_error(y_true: Any, y_pred: Any) -> gn.Tensor:
    """`mean(|y_pred - y_true|)` over the last axis."""
    y, p = compared(y_true, y_pred, "mean_absolute_error")
    return mean_along(gn.abs(p - y))


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> gn.Tensor:
    """`100 * mean(|y_pred - y_true| / max(|y_true|, 1e-7))` over the last axis."""
    y, p = compared(y_true, y_pred, "mean_absolute_percentage_error")
    return 100.0 * mean_along(gn.abs(p - y) / gn.maximum(gn.abs(y), EPSILON))


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> gn.Tensor:
    """`mean((log(1 + y_pred) - log(1 + y_true))**2)` over the last axis; numbers below 1e-7 count as that."""
    y, p = compared(y_true, y_pred, "mean_squared_logarithmic_error")
    d = gn.log1p(gn.maximum(p, EPSILON)) - gn.log1p(gn.maximum(y, EPSILON))
    return mean_along(d * d)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> gn.Tensor:
    """The mean over the last axis of `e**2 / 2` where `|e| <= delta`, else `delta * |e| - delta**2 / 2`."""
    y, p = compared(y_true, y_pred, "huber")
    e = p - y
    # With the error cut to c, both pieces are c * (e - c / 2): no square of a large error, a slope of c everywhere.
    c = gn.clip(e, -delta, delta)
    return mean_along(c * (e - 0.5 * c))


def log_cosh(y_true: Any, y_pred: Any) -> gn.Tensor:
    """`mean(log(cosh(y_pred - y_true)))` over the last axis: half the square of a small error, else about its size."""
    y, p = compared(y_true, y_pred, "log_cosh")
    e = p - y
    small = gn.less(gn.abs(e), 0.5)
    # Near 0 the common form is the difference of two numbers near log(2).
    s = gn.sinh(0.5 * gn.where(small, e, 0.0))
    return mean_along(gn.where(small, gn.log1p(2.0 * (s * s)), e + gn.softplus(-2.0 * e) - math.log(2.0)))


def cosine_similarity(y_true: Any, y_pred: Any, axis: Any = -1) -> gn.Tensor:
    """Minus the cosine of the angle between the vectors along `axis`: -1 is the best. It is 0 for a vector of zeros.

    >>> import graphnet as gn
    >>> gn.nn.losses.cosine_similarity([[0.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]])
    Tensor([-0. , -0.8], dtype=float32)
    """
    y, p = compared(y_true, y_pred, "cosine_similarity")
    return -gn.sum(unit(y, axis) * unit(p, axis), axis=axis)


@table.add("mse")
class MeanSquaredError(FunctionLoss):
    """`mean((y_pred - y_true)**2)`."""

    function = staticmethod(mean_squared_error)


@table.add("mae")
class MeanAbsoluteError(FunctionLoss):
    """`mean(|y_pred - y_true|)`; its gradient where they are equal is 0."""

    function = staticmethod(mean_absolute_error)


@table.add("mape")
class MeanAbsolutePercentageError(FunctionLoss):
    """`100 * mean(|y_pred - y_true| / max(|y_true|, 1e-7))`."""

    function = staticmethod(mean_absolute_percentage_error)


@table.add("msle")
class MeanSquaredLogarithmicError(FunctionLoss):
    """`mean((log(1 + y_pred) - log(1 + y_true))**2)`; numbers below 1e-7 count as that."""

    function = staticmethod(mean_squared_logarithmic_error)


@table.add("huber_loss")
class Huber(FunctionLoss):
    """Half the square of an error up to `delta`, and growing like its size beyond (Huber, Ann. Math. Stat. 35, 1964).

    >>> import graphnet as gn
    >>> float(gn.nn.losses.Huber()([[0.0, 0.0]], [[0.5, 3.0]]))
    1.3125
    """

    function = staticmethod(huber)
    options = ("delta",)

    def __init__(
        self, delta: float = 1.0, reduction: str | None = SUM, name: str | None = "huber_loss", dtype: Any = None
    ):
        super().__init__(reduction, name, dtype)
        self.delta = at_least(0, delta, "Huber: delta")


@table.add("logcosh")
class LogCosh(FunctionLoss):
    """`mean(log(cosh(y_pred - y_true)))`; its gradient is the tanh of the error."""

    function = staticmethod(log_cosh)


@table.add()
class CosineSimilarity(FunctionLoss):
    """Minus the cosine of the angle between the vectors along `axis`: from -1, the same direction, to 1."""

    function = staticmethod(cosine_similarity)
    options = ("axis",)

    def __init__(self, axis: Any = -1, reduction: str | None = SUM, name: str | None = None, dtype: Any = None):
        super().__init__(reduction, name, dtype)
        self.axis = axis
