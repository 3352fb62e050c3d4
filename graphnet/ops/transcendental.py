"""Elementwise exponentials, logarithms, trigonometric and hyperbolic functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphnet.declare import elementwise
from graphnet.mode import state
from graphnet.node import Tensor
from graphnet.ops.elementwise import SQUARED, equal, isinf, isnan, logical_and, multiply, over, sqrt, times, where
from graphnet.record import pair
from graphnet.typed import ArrayLike

_LN2 = math.log(2.0)
_LN10 = math.log(10.0)


#: f of its inverse has slope 1, also where the two slopes are 0 and infinite; no value has no slope
def _undone(g: Any, y: Any, x: Any) -> Any:
    return times(g, where(isnan(y), math.nan, 1))


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


#: elements up to which one more NumPy call costs more than what it computes
_FEW = 512
#: elements of a part of a large array
_PART = 1 << 12


def _in_parts(f: Any, out: Any, x: Any) -> Any:
    """`f(out, x, d)`, with `d` for what is between, in parts that stay in the cache."""
    if x.dtype != out.dtype:
        np.copyto(out, x, "unsafe")
        x = out
    if x.size <= _PART or not (out.flags.c_contiguous and x.flags.c_contiguous):
        f(out, x, np.empty_like(out))
        return
    d, out, x = np.empty(_PART, out.dtype), out.reshape(-1), x.reshape(-1)
    for i in range(0, x.size, _PART):
        part = out[i : i + _PART]
        f(part, x[i : i + _PART], d[: part.size])


def _sigmoid_into(out: Any, x: Any) -> Any:
    def f(out: Any, x: Any, d: Any) -> Any:
        # `out` may be x itself.
        above = np.greater_equal(x, 0)
        np.abs(x, d)
        np.negative(d, d)
        np.exp(d, d)
        np.copyto(out, d)
        np.copyto(out, 1, where=above)
        np.add(d, 1, d)
        np.divide(out, d, out)

    _in_parts(f, out, x)


def _sigmoid_slope_into(out: Any, x: Any) -> Any:
    def f(out: Any, x: Any, d: Any) -> Any:
        np.abs(x, out)
        np.negative(out, out)
        np.exp(out, out)
        np.add(out, 1, d)
        np.multiply(d, d, d)
        np.divide(out, d, out)

    _in_parts(f, out, x)


def _tanh_slope_into(out: Any, x: Any) -> Any:
    def f(out: Any, x: Any, d: Any) -> Any:
        np.abs(x, out)
        np.multiply(out, -2, out)
        np.exp(out, out)
        np.multiply(out, 0.5, d)
        np.add(d, 0.5, d)
        np.multiply(d, d, d)
        np.divide(out, d, out)

    _in_parts(f, out, x)


def _written(into: Any, x: Any) -> Any:
    """What `into` writes, as a new array."""
    out = np.empty(x.shape, x.dtype if x.dtype.kind == "f" else np.float64)
    into(out, x)
    return out


@elementwise(
    "sigmoid({x})", onnx="Sigmoid", vjp=(lambda g, y, x: g * sigmoid_slope(x),), into=_sigmoid_into, cost=0.5, weight=3
)
def sigmoid(x: ArrayLike) -> Tensor:
    """The logistic function `1 / (1 + exp(-x))`, element by element, without overflow at any size.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. The derivative `y * (1 - y)` is
    computed from `x`, so that it keeps its digits where `y` rounds to 1.

    >>> import graphnet as gn
    >>> gn.sigmoid([0.0, 2.0]), gn.grad(gn.sigmoid)(40.0)
    (Tensor([0.5       , 0.88079708]), Tensor(4.24835426e-18))
    """
    # -|x|, of whole numbers too: an unsigned one has no negative.
    e = np.exp(np.copysign(x, -1.0))
    return np.where(np.greater_equal(x, 0), 1, e) / (1 + e)


# From x: y * (1 - y) has no digits left where y is near 1.
@elementwise(
    "sigmoid_slope({x})",
    vjp=(lambda g, y, x: times(g, y * -tanh(0.5 * x)),),
    into=_sigmoid_slope_into,
    beside={sigmoid: lambda y: y * (1 - y)},
    cost=0.5,
    weight=3,
)
def sigmoid_slope(x: ArrayLike) -> Tensor:
    """The derivative of `sigmoid`, `exp(-x) / (1 + exp(-x))**2`, to its last digits at any size."""
    if x.size <= _FEW and state.mode.raw:
        y = 0.5 / np.cosh(0.5 * x)
        return y * y
    return _written(_sigmoid_slope_into, x)


@elementwise("softplus({x})", onnx="Softplus", vjp=(lambda g, y, x: g * sigmoid(x),), cost=0.5, weight=5)
def softplus(x: ArrayLike) -> Tensor:
    """`log(1 + exp(x))`, element by element, without overflow at any size.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. The derivative is `sigmoid(x)`.

    >>> import graphnet as gn
    >>> gn.softplus([0.0, 1000.0])
    Tensor([6.93147181e-01, 1.00000000e+03])
    """
    return np.logaddexp(x, 0)


@elementwise("log_sigmoid({x})", vjp=(lambda g, y, x: g * sigmoid(-x),), cost=0.5, weight=5)
def log_sigmoid(x: ArrayLike) -> Tensor:
    """`log(sigmoid(x)) = -log(1 + exp(-x))`, element by element, without overflow at any size.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. The derivative is `sigmoid(-x)`.

    >>> import graphnet as gn
    >>> gn.log_sigmoid([0.0, -1000.0])
    Tensor([-6.93147181e-01, -1.00000000e+03])
    """
    return -np.logaddexp(np.multiply(x, -1.0), 0)


@elementwise(
    "sin({x})",
    ufunc=np.sin,
    onnx="Sin",
    complex=True,
    vjp=(lambda g, y, x: times(g, cos(x)),),
    pairs={},
    cost=2.0,
    weight=8,
)
def sin(x: ArrayLike) -> Tensor:
    """The sine of angles in radians, element by element.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. NaN at infinities.

    >>> import graphnet as gn
    >>> gn.sin([0.0, 1.0])
    Tensor([0.        , 0.84147098])
    """


@elementwise(
    "cos({x})",
    ufunc=np.cos,
    onnx="Cos",
    complex=True,
    vjp=(lambda g, y, x: times(g, -sin(x)),),
    pairs={},
    cost=2.0,
    weight=8,
)
def cos(x: ArrayLike) -> Tensor:
    """The cosine of angles in radians, element by element.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. NaN at infinities.

    >>> import graphnet as gn
    >>> gn.cos([0.0, 1.0])
    Tensor([1.        , 0.54030231])
    """


@elementwise("tan({x})", ufunc=np.tan, onnx="Tan", complex=True, vjp=(lambda g, y, x: times(g, 1 + y * y),))
def tan(x: ArrayLike) -> Tensor:
    """The tangent `sin(x) / cos(x)` of angles in radians, element by element.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. The derivative is `1 + tan(x)**2`.

    >>> import graphnet as gn
    >>> gn.tan([0.0, 1.0])
    Tensor([0.        , 1.55740772])
    """


@elementwise("asin({x})", ufunc=np.arcsin, onnx="Asin", vjp=(lambda g, y, x: over(g, sqrt((1 - x) * (1 + x))),))
def arcsin(x: ArrayLike) -> Tensor:
    """The inverse sine, element by element: an angle in radians from `-pi/2` to `pi/2`; NaN outside of [-1, 1].

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. The derivative `1 / sqrt(1 - x**2)`
    is infinite at -1 and 1.

    >>> import graphnet as gn
    >>> gn.arcsin([0.0, 0.5])
    Tensor([0.        , 0.52359878])
    """


@elementwise("acos({x})", ufunc=np.arccos, onnx="Acos", vjp=(lambda g, y, x: over(-g, sqrt((1 - x) * (1 + x))),))
def arccos(x: ArrayLike) -> Tensor:
    """The inverse cosine, element by element: an angle in radians from 0 to pi; NaN outside of [-1, 1].

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. The derivative `-1 / sqrt(1 -
    x**2)` is infinite at -1 and 1.

    >>> import graphnet as gn
    >>> gn.arccos([1.0, 0.5])
    Tensor([0.        , 1.04719755])
    """


@elementwise("atan({x})", ufunc=np.arctan, onnx="Atan", vjp=(lambda g, y, x: over(g, 1 + x * x),))
def arctan(x: ArrayLike) -> Tensor:
    """The inverse tangent, element by element: an angle in radians from `-pi/2` to `pi/2`, which are its limits.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. The derivative is `1 / (1 + x**2)`.

    >>> import graphnet as gn
    >>> gn.arctan([0.0, 1.0])
    Tensor([0.        , 0.78539816])
    """


_ORIGIN = ("both are 0: slopes 0", lambda y, a, b: np.equal(a, 0) & np.equal(b, 0))


@elementwise(
    "atan2({a}, {b})",
    ufunc=np.arctan2,
    vjp=(
        lambda g, y, a, b: times(g, b / _length(hypot(a, b)) / _length(hypot(a, b))),
        lambda g, y, a, b: times(g, -(a / _length(hypot(a, b)) / _length(hypot(a, b)))),
    ),
    kink=_ORIGIN,
)
def arctan2(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The angle of the point (b, a), element by element: `arctan(a / b)` in the right quadrant, from -pi to pi.

    In radians. Inputs (the height `a`, then the width `b`) broadcast; the result is a floating-point number of the
    promoted dtype. All derivatives at (0, 0) are 0.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.arctan2([1.0, 1.0], [1.0, -1.0])
    Tensor([0.78539816, 2.35619449])
    """


def _length(y: Any) -> Any:
    """`y`, and infinity where it is 0: what is divided by it is 0 there, in every order of derivatives."""
    return where(equal(y, 0), math.inf, y)


@elementwise(
    "hypot({a}, {b})",
    ufunc=np.hypot,
    vjp=(lambda g, y, a, b: times(g, a / _length(y)), lambda g, y, a, b: times(g, b / _length(y))),
    kink=_ORIGIN,
    commutes="value",
)
def hypot(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`sqrt(a**2 + b**2)`, element by element, without overflow or underflow in between.

    Inputs broadcast; the result is a floating-point number of the promoted dtype. All derivatives at (0, 0) are 0.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.hypot([3.0, 1e200], [4.0, 1e200])
    Tensor([5.00000000e+000, 1.41421356e+200])
    """


@elementwise("sinh({x})", ufunc=np.sinh, onnx="Sinh", complex=True, vjp=(lambda g, y, x: times(g, cosh(x)),))
def sinh(x: ArrayLike) -> Tensor:
    """The hyperbolic sine `(exp(x) - exp(-x)) / 2`, element by element.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64.

    >>> import graphnet as gn
    >>> gn.sinh([0.0, 1.0])
    Tensor([0.        , 1.17520119])
    """


@elementwise(
    "cosh({x})",
    ufunc=np.cosh,
    onnx="Cosh",
    complex=True,
    vjp=(lambda g, y, x: times(g, sinh(x)),),
    pairs={},
)
def cosh(x: ArrayLike) -> Tensor:
    """The hyperbolic cosine `(exp(x) + exp(-x)) / 2`, element by element.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64.

    >>> import graphnet as gn
    >>> gn.cosh([0.0, 1.0])
    Tensor([1.        , 1.54308063])
    """


@elementwise(
    "tanh({x})",
    ufunc=np.tanh,
    onnx="Tanh",
    complex=True,
    vjp=(lambda g, y, x: g * (1 - y * y if x.dtype.kind == "c" else tanh_slope(x)),),
    pairs={},
    cost=0.5,
    weight=3,
)
def tanh(x: ArrayLike) -> Tensor:
    """The hyperbolic tangent `sinh(x) / cosh(x)`, element by element, from -1 to 1.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. The derivative `1 - y**2` is
    computed from `x`, so that it keeps its digits where `y` rounds to 1.

    >>> import graphnet as gn
    >>> gn.tanh([0.0, 1.0]), gn.grad(gn.tanh)(20.0)
    (Tensor([0.        , 0.76159416]), Tensor(1.6993417e-17))
    """


# From x: 1 - y * y has no digits left where y is near 1 or -1.
@elementwise(
    "tanh_slope({x})",
    vjp=(lambda g, y, x: times(g, y * (-2 * tanh(x))),),
    into=_tanh_slope_into,
    beside={tanh: lambda y: 1 - y * y},
    cost=0.5,
    weight=3,
)
def tanh_slope(x: ArrayLike) -> Tensor:
    """The derivative of `tanh`, `1 / cosh(x)**2`, to its last digits at any size."""
    if x.size <= _FEW and state.mode.raw:
        y = np.reciprocal(np.cosh(x))
        return y * y
    return _written(_tanh_slope_into, x)


@elementwise("asinh({x})", ufunc=np.arcsinh, onnx="Asinh", vjp=(lambda g, y, x: over(g, hypot(x, 1)),))
def arcsinh(x: ArrayLike) -> Tensor:
    """The inverse hyperbolic sine `log(x + sqrt(x**2 + 1))`, element by element.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. The derivative is `1 / sqrt(x**2 +
    1)`.

    >>> import graphnet as gn
    >>> gn.arcsinh([0.0, 1.0])
    Tensor([0.        , 0.88137359])
    """


@elementwise("acosh({x})", ufunc=np.arccosh, onnx="Acosh", vjp=(lambda g, y, x: over(g, sqrt(x - 1) * sqrt(x + 1)),))
def arccosh(x: ArrayLike) -> Tensor:
    """The inverse hyperbolic cosine `log(x + sqrt(x**2 - 1))`, element by element; NaN below 1.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. The derivative at 1 is infinite.

    >>> import graphnet as gn
    >>> gn.arccosh([1.0, 2.0])
    Tensor([0.       , 1.3169579])
    """


@elementwise("atanh({x})", ufunc=np.arctanh, onnx="Atanh", vjp=(lambda g, y, x: over(g, (1 - x) * (1 + x)),))
def arctanh(x: ArrayLike) -> Tensor:
    """The inverse hyperbolic tangent `log((1 + x) / (1 - x)) / 2`, element by element.

    Infinite at -1 and 1, NaN beyond. The shape is that of `x`; float32 stays float32, int32 and int64 become float64.

    >>> import graphnet as gn
    >>> gn.arctanh([0.0, 0.5])
    Tensor([0.        , 0.54930614])
    """


def radians(x: ArrayLike) -> Tensor:
    """`x * pi / 180`, element by element: degrees as radians. Also `deg2rad`.

    The shape is that of `x`; float32 stays float32, whole numbers become float64.

    >>> import graphnet as gn
    >>> gn.radians([0.0, 180.0])
    Tensor([0.        , 3.14159265])
    """
    return multiply(x, math.pi / 180)


def degrees(x: ArrayLike) -> Tensor:
    """`x * 180 / pi`, element by element: radians as degrees. Also `rad2deg`.

    The shape is that of `x`; float32 stays float32, whole numbers become float64.

    >>> import graphnet as gn
    >>> gn.degrees([0.0, 1.0])
    Tensor([ 0.        , 57.29577951])
    """
    return multiply(x, 180 / math.pi)


deg2rad, rad2deg = radians, degrees

for _outer, _inner in (
    (exp, log),
    (exp2, log2),
    (expm1, log1p),
    (sin, arcsin),
    (cos, arccos),
    (cosh, arccosh),
    (tanh, arctanh),
):
    pair(_outer.op.pairs, _inner, _undone)
pair(SQUARED, hypot, lambda g, y, a, b: times(g, 2 * a), lambda g, y, a, b: times(g, 2 * b))
