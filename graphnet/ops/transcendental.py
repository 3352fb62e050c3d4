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
    """Elementwise exponential, `e ** x`."""


@elementwise(
    "exp2({x})", ufunc=np.exp2, complex=True, vjp=(lambda g, y, x: times(g, y * _LN2),), pairs={}, cost=0.5, weight=3
)
def exp2(x: ArrayLike) -> Tensor:
    """Elementwise `2 ** x`."""


# Not y + 1, which has lost the digits of exp(x) far below 0.
@elementwise(
    "expm1({x})", ufunc=np.expm1, complex=True, vjp=(lambda g, y, x: times(g, exp(x)),), pairs={}, cost=0.5, weight=3
)
def expm1(x: ArrayLike) -> Tensor:
    """Elementwise `exp(x) - 1`, accurate near 0."""


@elementwise("log({x})", ufunc=np.log, onnx="Log", complex=True, vjp=(lambda g, y, x: over(g, x),), cost=0.5, weight=3)
def log(x: ArrayLike) -> Tensor:
    """Elementwise natural logarithm."""


@elementwise("log2({x})", ufunc=np.log2, complex=True, vjp=(lambda g, y, x: over(g, x * _LN2),), cost=0.5, weight=3)
def log2(x: ArrayLike) -> Tensor:
    """Elementwise logarithm to base 2."""


@elementwise("log10({x})", ufunc=np.log10, complex=True, vjp=(lambda g, y, x: over(g, x * _LN10),))
def log10(x: ArrayLike) -> Tensor:
    """Elementwise logarithm to base 10."""


@elementwise("log1p({x})", ufunc=np.log1p, complex=True, vjp=(lambda g, y, x: over(g, 1 + x),), cost=0.5, weight=3)
def log1p(x: ArrayLike) -> Tensor:
    """Elementwise `log(1 + x)`, accurate near 0."""


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
    """Elementwise `log(exp(a) + exp(b))`, at any size. Two infinite equal ones share the gradient."""


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
    """Elementwise `log2(2 ** a + 2 ** b)`, at any size."""


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
    """Elementwise logistic function, `1 / (1 + exp(-x))`, without overflow at any size."""
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
    """Elementwise `log(1 + exp(x))`, at any size."""
    return np.logaddexp(x, 0)


@elementwise("log_sigmoid({x})", vjp=(lambda g, y, x: g * sigmoid(-x),), cost=0.5, weight=5)
def log_sigmoid(x: ArrayLike) -> Tensor:
    """Elementwise `log(sigmoid(x)) = -log(1 + exp(-x))`, at any size."""
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
    """Elementwise sine of an angle in radians."""


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
    """Elementwise cosine of an angle in radians."""


@elementwise("tan({x})", ufunc=np.tan, onnx="Tan", complex=True, vjp=(lambda g, y, x: times(g, 1 + y * y),))
def tan(x: ArrayLike) -> Tensor:
    """Elementwise tangent of an angle in radians."""


@elementwise("asin({x})", ufunc=np.arcsin, onnx="Asin", vjp=(lambda g, y, x: over(g, sqrt((1 - x) * (1 + x))),))
def arcsin(x: ArrayLike) -> Tensor:
    """Elementwise inverse sine, in radians from -pi/2 to pi/2."""


@elementwise("acos({x})", ufunc=np.arccos, onnx="Acos", vjp=(lambda g, y, x: over(-g, sqrt((1 - x) * (1 + x))),))
def arccos(x: ArrayLike) -> Tensor:
    """Elementwise inverse cosine, in radians from 0 to pi."""


@elementwise("atan({x})", ufunc=np.arctan, onnx="Atan", vjp=(lambda g, y, x: over(g, 1 + x * x),))
def arctan(x: ArrayLike) -> Tensor:
    """Elementwise inverse tangent, in radians from -pi/2 to pi/2."""


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
    """The angle, in radians from -pi to pi, of the point with height `a` and width `b`; all its
    derivatives at (0, 0) are 0."""


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
    """Elementwise `sqrt(a**2 + b**2)` without overflow; all its derivatives at (0, 0) are 0."""


@elementwise("sinh({x})", ufunc=np.sinh, onnx="Sinh", complex=True, vjp=(lambda g, y, x: times(g, cosh(x)),))
def sinh(x: ArrayLike) -> Tensor:
    """Elementwise hyperbolic sine."""


@elementwise(
    "cosh({x})",
    ufunc=np.cosh,
    onnx="Cosh",
    complex=True,
    vjp=(lambda g, y, x: times(g, sinh(x)),),
    pairs={},
)
def cosh(x: ArrayLike) -> Tensor:
    """Elementwise hyperbolic cosine."""


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
    """Elementwise hyperbolic tangent."""


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
    """Elementwise inverse hyperbolic sine."""


@elementwise("acosh({x})", ufunc=np.arccosh, onnx="Acosh", vjp=(lambda g, y, x: over(g, sqrt(x - 1) * sqrt(x + 1)),))
def arccosh(x: ArrayLike) -> Tensor:
    """Elementwise inverse hyperbolic cosine, of numbers from 1."""


@elementwise("atanh({x})", ufunc=np.arctanh, onnx="Atanh", vjp=(lambda g, y, x: over(g, (1 - x) * (1 + x)),))
def arctanh(x: ArrayLike) -> Tensor:
    """Elementwise inverse hyperbolic tangent, of numbers between -1 and 1."""


def radians(x: ArrayLike) -> Tensor:
    """`x` degrees in radians."""
    return multiply(x, math.pi / 180)


def degrees(x: ArrayLike) -> Tensor:
    """`x` radians in degrees."""
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
