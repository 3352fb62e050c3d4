"""The variance and the standard deviation, exact where all numbers are equal or nearly so."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from graphnet import shapes
from graphnet.declare import reduction
from graphnet.leaves import KINDS
from graphnet.node import Tensor
from graphnet.ops.arithmetic import ROOTS, SQUARED, times
from graphnet.ops.choices import never_zero, where
from graphnet.ops.comparisons import equal
from graphnet.ops.powers import sqrt
from graphnet.ops.reduce import count, max, mean, min, of_kept
from graphnet.ops.shaping import stop_gradient
from graphnet.record import pair
from graphnet.shapes import Axes
from graphnet.typed import ArrayLike

#: where a deviation is less than this part of the mean, the rounding of the mean is felt
_NEAR = 1e-3


def exact_mean(x: Any, axis: Any) -> Any:
    """Whether the mean of what is left of equal numbers without their mean, a few units each, is found exactly."""
    return count(x, axis) <= (1 << 12 if x.dtype.itemsize < 8 else 1 << 24)


def _mean_of(x: Any, axis: Any) -> Any:
    return np.add.reduce(x, axis, None, None, True) / count(x, axis)  # type: ignore[call-overload]


def _deviations(x: Any, axis: Any, m: Any) -> Any:
    """`x - m` without the rounding of the mean `m`: exactly 0 where all are equal, and right where they nearly are."""
    if not exact_mean(x, axis):
        top = np.maximum.reduce(x, axis, None, None, True)  # type: ignore[call-overload]
        m = np.where(top == np.minimum.reduce(x, axis, None, None, True), top, m)  # type: ignore[call-overload]
    d = x - m
    # What is left of the mean is the rounding of the first one.
    return d - _mean_of(d, axis)


def _away(x: Any, y: Any, axis: Any) -> Any:
    """`_deviations` in tensor ops, and on bare arrays with deviation `y`."""
    if x.__class__ not in KINDS:
        if x.dtype == np.float16:
            x = x.astype(np.float32)
        m = _mean_of(x, axis)
        return x - m if (y > _NEAR * np.abs(m)).all() else _deviations(x, axis, m)
    m = mean(x, axis=axis, keepdims=True)
    if not exact_mean(x, axis):
        top = max(x, axis=axis, keepdims=True)
        same = equal(top, min(x, axis=axis, keepdims=True))
        m = m + stop_gradient(where(same, top - m, 0))
    d = x - m
    return d - mean(d, axis=axis, keepdims=True)


def _var_slope(g: Any, y: Any, x: Any, axis: Any, ddof: Any) -> Any:
    return times(g, (x - mean(x, axis=axis, keepdims=True)) * (2 / _free(x, axis, ddof)))


def _std_slope(g: Any, y: Any, x: Any, axis: Any, ddof: Any) -> Any:
    return times(g, _away(x, y, axis) / (never_zero(y) * _free(x, axis, ddof)))


@reduction(vjp=_var_slope)
def var(x: ArrayLike, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """The variance over `axis`, `sum((x - mean)**2) / (n - ddof)`: one axis, several, or all if None.

    With `keepdims` these axes stay, of size one. The dtype is that of `x`, float64 for booleans and whole numbers; of
    complex numbers it is real. Where `n` is not above `ddof` it divides by 0: NaN or infinity, with NumPy's
    `RuntimeWarning`.

    Raises `IndexError` for an axis that `x` does not have, `ValueError` for one that is named twice.

    >>> import graphnet as gn
    >>> gn.var([1.0, 2.0, 3.0, 6.0]), gn.var([1.0, 2.0, 3.0, 6.0], ddof=2)
    (Tensor(3.5), Tensor(7.))
    """
    return np.var(x, axis=axis, keepdims=keepdims, ddof=ddof)


@reduction(
    vjp=_std_slope, kink=("all are equal: slopes 0", lambda y, x, axis, ddof: np.equal(y, 0) & (count(x, axis) > 1))
)
def std(x: ArrayLike, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """Standard deviation over `axis`, with a divisor of `n - ddof`.

    All derivatives of a constant's are 0: there is a corner. (The square of it is the variance, which is smooth.)

    >>> import graphnet as gn
    >>> gn.grad(gn.std)([0.1, 0.1, 0.1])
    Tensor([0., 0., 0.])
    """
    if x.dtype.kind == "c":
        return np.std(x, axis=axis, keepdims=keepdims, ddof=ddof)
    narrow = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    wide = np.asarray(x, np.promote_types(narrow, np.float32))
    axes = shapes.axes_indices(axis, wide.ndim)
    free = builtins.max(count(wide, axes) - ddof, 0)
    m = _mean_of(wide, axes)
    d = wide - m
    y = np.sqrt(np.add.reduce(d * d, axes, None, None, True) / free)  # type: ignore[call-overload]
    if (y <= _NEAR * np.abs(m)).any():
        d = _deviations(wide, axes, m)
        y = np.sqrt(np.add.reduce(d * d, axes, None, None, True) / free)  # type: ignore[call-overload]
    y = y.astype(narrow, copy=False)
    return y if keepdims else np.squeeze(y, axes)


pair(SQUARED, std, of_kept(_var_slope))
pair(ROOTS, var, of_kept(lambda g, y, x, axis, ddof: _std_slope(g, sqrt(y), x, axis, ddof)))


def _free(x: Any, axis: Any, ddof: Any) -> Any:
    n = count(x, axis) - ddof
    return n if n > 0 else math.nan
