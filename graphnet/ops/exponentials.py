"""Exponentials and logarithms, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphnet.declare import elementwise
from graphnet.node import Tensor
from graphnet.ops.arithmetic import over, times
from graphnet.ops.choices import where
from graphnet.ops.comparisons import equal, isinf, isnan, logical_and
from graphnet.ops.sigmoids import sigmoid
from graphnet.record import pair
from graphnet.typed import ArrayLike

_LN2 = math.log(2.0)
_LN10 = math.log(10.0)


@elementwise(
    "exp({x})", ufunc=np.exp, onnx="Exp", complex=True, vjp=(lambda g, y, x: times(g, y),), pairs={}, cost=0.5, weight=3
)
def exp(x: ArrayLike) -> Tensor:
    """The exponential `e ** x`, element by element.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. Infinite from 88.8 on in float32,
    from 709.8 in float64.

    >>> import graphnet as gn
    >>> gn.exp([0.0, 1.0])
    Tensor([1.        , 2.71828183])
    """


@elementwise(
    "exp2({x})", ufunc=np.exp2, complex=True, vjp=(lambda g, y, x: times(g, y * _LN2),), pairs={}, cost=0.5, weight=3
)
def exp2(x: ArrayLike) -> Tensor:
    """`2 ** x`, element by element.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64.

    >>> import graphnet as gn
    >>> gn.exp2([3.0, -1.0])
    Tensor([8. , 0.5])
    """


# Not y + 1, which has lost the digits of exp(x) far below 0.
@elementwise(
    "expm1({x})", ufunc=np.expm1, complex=True, vjp=(lambda g, y, x: times(g, exp(x)),), pairs={}, cost=0.5, weight=3
)
def expm1(x: ArrayLike) -> Tensor:
    """`exp(x) - 1`, element by element, to full precision also near 0, where the subtraction would lose the digits.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64.

    >>> import graphnet as gn
    >>> gn.expm1([1e-10, 1.0])
    Tensor([1.00000000e-10, 1.71828183e+00])
    """


@elementwise("log({x})", ufunc=np.log, onnx="Log", complex=True, vjp=(lambda g, y, x: over(g, x),), cost=0.5, weight=3)
def log(x: ArrayLike) -> Tensor:
    """The natural logarithm, element by element; `-inf` at 0, NaN below.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. The derivative `1 / x` at 0 is
    infinite.

    >>> import graphnet as gn
    >>> gn.log([1.0, 10.0])
    Tensor([0.        , 2.30258509])
    """


@elementwise("log2({x})", ufunc=np.log2, complex=True, vjp=(lambda g, y, x: over(g, x * _LN2),), cost=0.5, weight=3)
def log2(x: ArrayLike) -> Tensor:
    """The logarithm to base 2, element by element; `-inf` at 0, NaN below.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. Exact for powers of 2.

    >>> import graphnet as gn
    >>> gn.log2([8.0, 0.5])
    Tensor([ 3., -1.])
    """


@elementwise("log10({x})", ufunc=np.log10, complex=True, vjp=(lambda g, y, x: over(g, x * _LN10),))
def log10(x: ArrayLike) -> Tensor:
    """The logarithm to base 10, element by element; `-inf` at 0, NaN below.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64.

    >>> import graphnet as gn
    >>> gn.log10([1000.0, 0.1])
    Tensor([ 3., -1.])
    """


@elementwise("log1p({x})", ufunc=np.log1p, complex=True, vjp=(lambda g, y, x: over(g, 1 + x),), cost=0.5, weight=3)
def log1p(x: ArrayLike) -> Tensor:
    """`log(1 + x)`, element by element, to full precision also near 0, where `1 + x` would lose the digits.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. `-inf` at -1, NaN below.

    >>> import graphnet as gn
    >>> gn.log1p([1e-10, 1.0])
    Tensor([1.00000000e-10, 6.93147181e-01])
    """


def _logistic_difference(a: Any, b: Any) -> Any:
    """1 / (1 + exp(b - a)), with 1/2 for two equal infinities, whose difference is NaN."""
    both = logical_and(equal(a, b), isinf(a))
    return where(both, 0.5, sigmoid(where(both, 0, a) - where(both, 0, b)))


_ENDLESS = ("both are the same infinity: half of the gradient each", lambda y, a, b: np.equal(a, b) & np.isinf(y))


@elementwise(
    "logaddexp({a}, {b})",
    ufunc=np.logaddexp,
    vjp=(
        lambda g, y, a, b: times(g, _logistic_difference(a, b)),
        lambda g, y, a, b: times(g, _logistic_difference(b, a)),
    ),
    kink=_ENDLESS,
    commutes="value",
)
def logaddexp(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`log(exp(a) + exp(b))`, element by element, without overflow at any size.

    Inputs broadcast; the result is a floating-point number of the promoted dtype. The derivatives are `sigmoid(a - b)`
    and `sigmoid(b - a)`; of two equal infinities each has half of the gradient.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.logaddexp([0.0, 1000.0], [0.0, 1000.0])
    Tensor([6.93147181e-01, 1.00069315e+03])
    """


@elementwise(
    "logaddexp2({a}, {b})",
    ufunc=np.logaddexp2,
    vjp=(
        lambda g, y, a, b: times(g, _logistic_difference(a * _LN2, b * _LN2)),
        lambda g, y, a, b: times(g, _logistic_difference(b * _LN2, a * _LN2)),
    ),
    kink=_ENDLESS,
)
def logaddexp2(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`log2(2 ** a + 2 ** b)`, element by element, without overflow at any size.

    Inputs broadcast; the result is a floating-point number of the promoted dtype. Of two equal infinities each has half
    of the gradient.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.logaddexp2([0.0, 2000.0], [0.0, 2000.0])
    Tensor([1.000e+00, 2.001e+03])
    """


def inverses(*functions: tuple[Any, Any]) -> None:
    """Of pairs `(f, its inverse)`: f of its inverse has slope 1, also where the two slopes are 0 and infinite."""
    for f, inverse in functions:
        # What is no number has no slope.
        pair(f.op.pairs, inverse, lambda g, y, x: times(g, where(isnan(y), math.nan, 1)))


inverses((exp, log), (exp2, log2), (expm1, log1p))
