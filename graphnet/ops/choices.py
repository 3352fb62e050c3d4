"""One of several values, element by element: `where`, the smaller, the larger, limits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphnet.declare import elementwise
from graphnet.naming import naming
from graphnet.node import Tensor
from graphnet.ops.arithmetic import positive
from graphnet.ops.comparisons import equal, greater, isnan, less, less_equal, logical_and, logical_or
from graphnet.typed import ArrayLike

_EQUAL = ("both are equal: half of the gradient each", lambda y, a, b: np.equal(a, b))


def _to_winner(g: Any, a: Any, b: Any, wins: Any) -> Any:
    """`g` where `a` was chosen over `b`, half of it where they are equal, 0 elsewhere."""
    return where(equal(a, b), g * 0.5, where(wins, g, 0))


@elementwise(
    "minimum({a}, {b})",
    ufunc=np.minimum,
    onnx="Min",
    vjp=(
        lambda g, y, a, b: _to_winner(g, a, b, logical_or(less(a, b), isnan(a))),
        lambda g, y, a, b: _to_winner(g, b, a, logical_or(less(b, a), isnan(b))),
    ),
    kink=_EQUAL,
    commutes="value",
)
def minimum(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The smaller of `a` and `b`, element by element; NaN if one of them is NaN.

    Inputs broadcast; the dtype is the promoted one. The gradient goes to the smaller one, half of it to each of two
    equal ones. `fmin` ignores NaN.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.minimum([1.0, 5.0], 3.0), gn.grad(lambda x: gn.minimum(x, 3.0))(3.0)
    (Tensor([1., 3.]), Tensor(0.5))
    """


@elementwise(
    "maximum({a}, {b})",
    ufunc=np.maximum,
    onnx="Max",
    vjp=(
        lambda g, y, a, b: _to_winner(g, a, b, logical_or(greater(a, b), isnan(a))),
        lambda g, y, a, b: _to_winner(g, b, a, logical_or(greater(b, a), isnan(b))),
    ),
    kink=_EQUAL,
    commutes="value",
)
def maximum(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The larger of `a` and `b`, element by element; NaN if one of them is NaN.

    Inputs broadcast; the dtype is the promoted one. The gradient goes to the larger one, half of it to each of two
    equal ones. `fmax` ignores NaN.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.maximum([1.0, 5.0], 3.0), gn.grad(lambda x: gn.maximum(x, 3.0))(3.0)
    (Tensor([3., 5.]), Tensor(0.5))
    """


@elementwise(
    "fmin({a}, {b})",
    ufunc=np.fmin,
    vjp=(
        lambda g, y, a, b: _to_winner(g, a, b, logical_or(less(a, b), isnan(b))),
        lambda g, y, a, b: _to_winner(g, b, a, logical_or(less(b, a), isnan(a))),
    ),
    kink=_EQUAL,
    commutes="value",
)
def fmin(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The smaller of `a` and `b`, element by element; where one is NaN, the other one.

    Inputs broadcast; the dtype is the promoted one. The gradient goes to the one that is the result, half of it to each
    of two equal ones.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.fmin([1.0, float("nan")], 3.0)
    Tensor([1., 3.])
    """


@elementwise(
    "fmax({a}, {b})",
    ufunc=np.fmax,
    vjp=(
        lambda g, y, a, b: _to_winner(g, a, b, logical_or(greater(a, b), isnan(b))),
        lambda g, y, a, b: _to_winner(g, b, a, logical_or(greater(b, a), isnan(a))),
    ),
    kink=_EQUAL,
    commutes="value",
)
def fmax(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The larger of `a` and `b`, element by element; where one is NaN, the other one.

    Inputs broadcast; the dtype is the promoted one. The gradient goes to the one that is the result, half of it to each
    of two equal ones.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.fmax([1.0, float("nan")], 3.0)
    Tensor([3., 3.])
    """


@elementwise(
    "({x} if {condition} else {y})",
    onnx="Where",
    complex=True,
    vjp=(
        None,
        lambda g, z, condition, x, y: where(condition, g, 0),
        lambda g, z, condition, x, y: where(condition, 0, g),
    ),
    truth=("condition",),
    kinds="biuf",
)
def where(condition: ArrayLike, x: ArrayLike, y: ArrayLike) -> Tensor:
    """`x` where `condition` is not zero, else `y`, element by element.

    All three broadcast; the dtype is that of `x` and `y` promoted. The gradient goes to the branch that was taken; the
    other one has a gradient of 0 even where its value or derivative is infinite or NaN.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.where([True, False], [1.0, 2.0], 0.0)
    Tensor([1., 0.])
    >>> gn.grad(lambda x: gn.where(x > 0, gn.sqrt(x), 0 * x))(0.0)
    Tensor(0.)
    """
    if x.__class__ is int or y.__class__ is int:
        # NumPy would wrap a number that the dtype does not hold.
        dtype = np.result_type(x, y)
        x, y = np.asarray(x, dtype), np.asarray(y, dtype)
    return np.where(condition, x, y)


def never_zero(y: Any) -> Any:
    """`y`, and infinity where it is 0: what is divided by it is 0 there, in every order of derivatives."""
    return where(equal(y, 0), math.inf, y)


@elementwise(
    "minimum(maximum({x}, {low}), {high})",
    onnx="Clip",
    vjp=(
        lambda g, y, x, low, high: where(logical_or(less(x, low), greater(x, high)), 0, g),
        lambda g, y, x, low, high: where(logical_and(less(x, low), less_equal(low, high)), g, 0),
        lambda g, y, x, low, high: where(logical_or(greater(x, high), greater(low, high)), g, 0),
    ),
    kink=("x is a bound: slope 1", lambda y, x, low, high: np.equal(x, low) | np.equal(x, high)),
)
def clip_to(x: ArrayLike, low: ArrayLike, high: ArrayLike) -> Tensor:
    """`x` limited to the closed interval from `low` to `high`: what `clip` does with both bounds given."""
    return np.clip(x, low, high)


@elementwise(
    "maximum({x}, {low})",
    ufunc=np.maximum,
    vjp=(lambda g, y, x, low: where(less(x, low), 0, g), lambda g, y, x, low: where(less(x, low), g, 0)),
    kink=("x is the bound: slope 1", lambda y, x, low: np.equal(x, low)),
)
def clip_low(x: ArrayLike, low: ArrayLike) -> Tensor:
    """`x`, but not below `low`; the derivative for `x` is 1 at the bound."""


@elementwise(
    "minimum({x}, {high})",
    ufunc=np.minimum,
    vjp=(lambda g, y, x, high: where(greater(x, high), 0, g), lambda g, y, x, high: where(greater(x, high), g, 0)),
    kink=("x is the bound: slope 1", lambda y, x, high: np.equal(x, high)),
)
def clip_high(x: ArrayLike, high: ArrayLike) -> Tensor:
    """`x`, but not above `high`; the derivative for `x` is 1 at the bound."""


@naming
def clip(x: ArrayLike, a_min: ArrayLike | None = None, a_max: ArrayLike | None = None) -> Tensor:
    """`min(max(x, a_min), a_max)`, element by element; a bound of None is none.

    Where `a_min` is above `a_max`, the result is `a_max`. Bounds broadcast with `x`; the dtype is the promoted one; for
    whole numbers, a Python integer below (or above) all of the dtype is no lower (upper) bound, as in NumPy. The
    derivative for `x` is 1 inside the closed interval and 0 outside; where a bound is the result and not equal to `x`,
    the bound has the gradient.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.clip([-1.0, 0.5, 2.0], 0.0, 1.0)
    Tensor([0. , 0.5, 1. ])
    >>> gn.elementwise_grad(lambda x: gn.clip(x, 0.0, 1.0))([-1.0, 0.0, 0.5, 1.0, 2.0])
    Tensor([0., 1., 1., 1., 0.])
    """
    dtype = getattr(x, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "iu":
        # A whole number beyond the dtype is no bound, as in NumPy.
        info = np.iinfo(dtype)
        a_min = None if type(a_min) is int and a_min <= info.min else a_min
        a_max = None if type(a_max) is int and a_max >= info.max else a_max
    if a_max is None:
        return positive(x) if a_min is None else clip_low(x, a_min)
    if a_min is None:
        return clip_high(x, a_max)
    return clip_to(x, a_min, a_max)
