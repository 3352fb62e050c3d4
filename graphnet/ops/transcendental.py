"""Elementwise exponentials, logarithms, trigonometric and hyperbolic functions."""

from __future__ import annotations

import math

import numpy as np

from graphnet.op import elementwise
from graphnet.ops.elementwise import equal, isinf, logical_and, multiply, over, sqrt, times, where

_LN2 = math.log(2.0)
_LN10 = math.log(10.0)


@elementwise("exp({x})", ufunc=np.exp, onnx="Exp", complex=True, vjp=(lambda g, y, x: times(g, y),))
def exp(x):
    """Elementwise exponential, `e ** x`."""


@elementwise("exp2({x})", ufunc=np.exp2, complex=True, vjp=(lambda g, y, x: times(g, y * _LN2),))
def exp2(x):
    """Elementwise `2 ** x`."""


@elementwise("expm1({x})", ufunc=np.expm1, complex=True, vjp=(lambda g, y, x: times(g, y + 1),))
def expm1(x):
    """Elementwise `exp(x) - 1`, accurate near 0."""


@elementwise("log({x})", ufunc=np.log, onnx="Log", complex=True, vjp=(lambda g, y, x: over(g, x),))
def log(x):
    """Elementwise natural logarithm."""


@elementwise("log2({x})", ufunc=np.log2, complex=True, vjp=(lambda g, y, x: over(g, x * _LN2),))
def log2(x):
    """Elementwise logarithm to base 2."""


@elementwise("log10({x})", ufunc=np.log10, complex=True, vjp=(lambda g, y, x: over(g, x * _LN10),))
def log10(x):
    """Elementwise logarithm to base 10."""


@elementwise("log1p({x})", ufunc=np.log1p, complex=True, vjp=(lambda g, y, x: over(g, 1 + x),))
def log1p(x):
    """Elementwise `log(1 + x)`, accurate near 0."""


def _logistic_difference(a, b):
    """1 / (1 + exp(b - a)), with 1/2 for two equal infinities, whose difference is NaN."""
    both = logical_and(equal(a, b), isinf(a))
    return where(both, 0.5, sigmoid(where(both, 0, a) - where(both, 0, b)))


@elementwise(
    "logaddexp({a}, {b})",
    ufunc=np.logaddexp,
    vjp=(
        lambda g, y, a, b: times(g, _logistic_difference(a, b)),
        lambda g, y, a, b: times(g, _logistic_difference(b, a)),
    ),
)
def logaddexp(a, b):
    """Elementwise `log(exp(a) + exp(b))`, at any size. Two infinite equal ones share the gradient."""


@elementwise(
    "logaddexp2({a}, {b})",
    ufunc=np.logaddexp2,
    vjp=(
        lambda g, y, a, b: times(g, _logistic_difference(a * _LN2, b * _LN2)),
        lambda g, y, a, b: times(g, _logistic_difference(b * _LN2, a * _LN2)),
    ),
)
def logaddexp2(a, b):
    """Elementwise `log2(2 ** a + 2 ** b)`, at any size."""


@elementwise(
    "((1 / (1 + exp(-{x}))) if {x} >= 0 else (exp({x}) / (1 + exp({x}))))",
    onnx="Sigmoid",
    vjp=(lambda g, y, x: g * (y * (1 - y)),),
)
def sigmoid(x):
    """Elementwise logistic function, `1 / (1 + exp(-x))`, without overflow at any size."""
    # -|x|, of whole numbers too: an unsigned one has no negative.
    e = np.exp(np.copysign(x, -1.0))
    return np.where(np.greater_equal(x, 0), 1, e) / (1 + e)


@elementwise("(max({x}, 0) + log1p(exp(-abs({x}))))", onnx="Softplus", vjp=(lambda g, y, x: g * sigmoid(x),))
def softplus(x):
    """Elementwise `log(1 + exp(x))`, at any size."""
    return np.logaddexp(x, 0)


@elementwise("(min({x}, 0) - log1p(exp(-abs({x}))))", vjp=(lambda g, y, x: g * sigmoid(-x),))
def log_sigmoid(x):
    """Elementwise `log(sigmoid(x)) = -log(1 + exp(-x))`, at any size."""
    return -np.logaddexp(np.multiply(x, -1.0), 0)


@elementwise("sin({x})", ufunc=np.sin, onnx="Sin", complex=True, vjp=(lambda g, y, x: times(g, cos(x)),))
def sin(x):
    """Elementwise sine of an angle in radians."""


@elementwise("cos({x})", ufunc=np.cos, onnx="Cos", complex=True, vjp=(lambda g, y, x: times(g, -sin(x)),))
def cos(x):
    """Elementwise cosine of an angle in radians."""


@elementwise("tan({x})", ufunc=np.tan, onnx="Tan", complex=True, vjp=(lambda g, y, x: times(g, 1 + y * y),))
def tan(x):
    """Elementwise tangent of an angle in radians."""


@elementwise("asin({x})", ufunc=np.arcsin, onnx="Asin", vjp=(lambda g, y, x: over(g, sqrt(1 - x * x)),))
def arcsin(x):
    """Elementwise inverse sine, in radians from -pi/2 to pi/2."""


@elementwise("acos({x})", ufunc=np.arccos, onnx="Acos", vjp=(lambda g, y, x: over(-g, sqrt(1 - x * x)),))
def arccos(x):
    """Elementwise inverse cosine, in radians from 0 to pi."""


@elementwise("atan({x})", ufunc=np.arctan, onnx="Atan", vjp=(lambda g, y, x: over(g, 1 + x * x),))
def arctan(x):
    """Elementwise inverse tangent, in radians from -pi/2 to pi/2."""


@elementwise(
    "atan2({a}, {b})",
    ufunc=np.arctan2,
    vjp=(
        lambda g, y, a, b: times(g, over(over(b, hypot(a, b)), hypot(a, b))),
        lambda g, y, a, b: times(g, over(over(-a, hypot(a, b)), hypot(a, b))),
    ),
)
def arctan2(a, b):
    """The angle, in radians from -pi to pi, of the point with height `a` and width `b`; its gradient at (0, 0) is 0."""


@elementwise(
    "hypot({a}, {b})",
    ufunc=np.hypot,
    vjp=(lambda g, y, a, b: times(g, over(a, y)), lambda g, y, a, b: times(g, over(b, y))),
)
def hypot(a, b):
    """Elementwise `sqrt(a**2 + b**2)` without overflow; its gradient at (0, 0) is 0."""


@elementwise("sinh({x})", ufunc=np.sinh, onnx="Sinh", complex=True, vjp=(lambda g, y, x: times(g, cosh(x)),))
def sinh(x):
    """Elementwise hyperbolic sine."""


@elementwise("cosh({x})", ufunc=np.cosh, onnx="Cosh", complex=True, vjp=(lambda g, y, x: times(g, sinh(x)),))
def cosh(x):
    """Elementwise hyperbolic cosine."""


@elementwise("tanh({x})", ufunc=np.tanh, onnx="Tanh", complex=True, vjp=(lambda g, y, x: g * (1 - y * y),))
def tanh(x):
    """Elementwise hyperbolic tangent."""


@elementwise("asinh({x})", ufunc=np.arcsinh, onnx="Asinh", vjp=(lambda g, y, x: over(g, hypot(x, 1)),))
def arcsinh(x):
    """Elementwise inverse hyperbolic sine."""


@elementwise("acosh({x})", ufunc=np.arccosh, onnx="Acosh", vjp=(lambda g, y, x: over(g, sqrt(x - 1) * sqrt(x + 1)),))
def arccosh(x):
    """Elementwise inverse hyperbolic cosine, of numbers from 1."""


@elementwise("atanh({x})", ufunc=np.arctanh, onnx="Atanh", vjp=(lambda g, y, x: over(g, (1 - x) * (1 + x)),))
def arctanh(x):
    """Elementwise inverse hyperbolic tangent, of numbers between -1 and 1."""


def radians(x):
    """`x` degrees in radians."""
    return multiply(x, math.pi / 180)


def degrees(x):
    """`x` radians in degrees."""
    return multiply(x, 180 / math.pi)


deg2rad, rad2deg = radians, degrees
