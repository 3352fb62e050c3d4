"""Elementwise exponentials, logarithms, trigonometric and hyperbolic functions."""

from __future__ import annotations

import math

import numpy as np

from graphnet.op import elementwise
from graphnet.ops.elementwise import equal, isinf, logical_and, multiply, over, sqrt, times, where

_LN2 = math.log(2.0)
_LN10 = math.log(10.0)


@elementwise("exp({x})", onnx="Exp", vjp=(lambda g, y, x: times(g, y),))
def exp(x):
    """Elementwise exponential, `e ** x`."""
    return np.exp(x)


@elementwise("exp2({x})", vjp=(lambda g, y, x: times(g, y * _LN2),))
def exp2(x):
    """Elementwise `2 ** x`."""
    return np.exp2(x)


@elementwise("expm1({x})", vjp=(lambda g, y, x: times(g, y + 1),))
def expm1(x):
    """Elementwise `exp(x) - 1`, accurate near 0."""
    return np.expm1(x)


@elementwise("log({x})", onnx="Log", vjp=(lambda g, y, x: over(g, x),))
def log(x):
    """Elementwise natural logarithm."""
    return np.log(x)


@elementwise("log2({x})", vjp=(lambda g, y, x: over(g, x * _LN2),))
def log2(x):
    """Elementwise logarithm to base 2."""
    return np.log2(x)


@elementwise("log10({x})", vjp=(lambda g, y, x: over(g, x * _LN10),))
def log10(x):
    """Elementwise logarithm to base 10."""
    return np.log10(x)


@elementwise("log1p({x})", vjp=(lambda g, y, x: over(g, 1 + x),))
def log1p(x):
    """Elementwise `log(1 + x)`, accurate near 0."""
    return np.log1p(x)


def _logistic_difference(a, b):
    """1 / (1 + exp(b - a)), with 1/2 for two equal infinities, whose difference is NaN."""
    both = logical_and(equal(a, b), isinf(a))
    return where(both, 0.5, sigmoid(where(both, 0, a) - where(both, 0, b)))


@elementwise(
    "logaddexp({a}, {b})",
    vjp=(
        lambda g, y, a, b: times(g, _logistic_difference(a, b)),
        lambda g, y, a, b: times(g, _logistic_difference(b, a)),
    ),
)
def logaddexp(a, b):
    """Elementwise `log(exp(a) + exp(b))`, at any size. Two infinite equal ones share the gradient."""
    return np.logaddexp(a, b)


@elementwise(
    "logaddexp2({a}, {b})",
    vjp=(
        lambda g, y, a, b: times(g, _logistic_difference(a * _LN2, b * _LN2)),
        lambda g, y, a, b: times(g, _logistic_difference(b * _LN2, a * _LN2)),
    ),
)
def logaddexp2(a, b):
    """Elementwise `log2(2 ** a + 2 ** b)`, at any size."""
    return np.logaddexp2(a, b)


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


@elementwise("sin({x})", onnx="Sin", vjp=(lambda g, y, x: times(g, cos(x)),))
def sin(x):
    """Elementwise sine of an angle in radians."""
    return np.sin(x)


@elementwise("cos({x})", onnx="Cos", vjp=(lambda g, y, x: times(g, -sin(x)),))
def cos(x):
    """Elementwise cosine of an angle in radians."""
    return np.cos(x)


@elementwise("tan({x})", onnx="Tan", vjp=(lambda g, y, x: times(g, 1 + y * y),))
def tan(x):
    """Elementwise tangent of an angle in radians."""
    return np.tan(x)


@elementwise("asin({x})", onnx="Asin", vjp=(lambda g, y, x: over(g, sqrt(1 - x * x)),))
def arcsin(x):
    """Elementwise inverse sine, in radians from -pi/2 to pi/2."""
    return np.arcsin(x)


@elementwise("acos({x})", onnx="Acos", vjp=(lambda g, y, x: over(-g, sqrt(1 - x * x)),))
def arccos(x):
    """Elementwise inverse cosine, in radians from 0 to pi."""
    return np.arccos(x)


@elementwise("atan({x})", onnx="Atan", vjp=(lambda g, y, x: over(g, 1 + x * x),))
def arctan(x):
    """Elementwise inverse tangent, in radians from -pi/2 to pi/2."""
    return np.arctan(x)


@elementwise(
    "atan2({a}, {b})",
    vjp=(
        lambda g, y, a, b: times(g, over(over(b, hypot(a, b)), hypot(a, b))),
        lambda g, y, a, b: times(g, over(over(-a, hypot(a, b)), hypot(a, b))),
    ),
)
def arctan2(a, b):
    """The angle, in radians from -pi to pi, of the point with height `a` and width `b`; its gradient at (0, 0) is 0."""
    return np.arctan2(a, b)


@elementwise(
    "hypot({a}, {b})",
    vjp=(lambda g, y, a, b: times(g, over(a, y)), lambda g, y, a, b: times(g, over(b, y))),
)
def hypot(a, b):
    """Elementwise `sqrt(a**2 + b**2)` without overflow; its gradient at (0, 0) is 0."""
    return np.hypot(a, b)


@elementwise("sinh({x})", onnx="Sinh", vjp=(lambda g, y, x: times(g, cosh(x)),))
def sinh(x):
    """Elementwise hyperbolic sine."""
    return np.sinh(x)


@elementwise("cosh({x})", onnx="Cosh", vjp=(lambda g, y, x: times(g, sinh(x)),))
def cosh(x):
    """Elementwise hyperbolic cosine."""
    return np.cosh(x)


@elementwise("tanh({x})", onnx="Tanh", vjp=(lambda g, y, x: g * (1 - y * y),))
def tanh(x):
    """Elementwise hyperbolic tangent."""
    return np.tanh(x)


@elementwise("asinh({x})", onnx="Asinh", vjp=(lambda g, y, x: over(g, hypot(x, 1)),))
def arcsinh(x):
    """Elementwise inverse hyperbolic sine."""
    return np.arcsinh(x)


@elementwise("acosh({x})", onnx="Acosh", vjp=(lambda g, y, x: over(g, sqrt(x - 1) * sqrt(x + 1)),))
def arccosh(x):
    """Elementwise inverse hyperbolic cosine, of numbers from 1."""
    return np.arccosh(x)


@elementwise("atanh({x})", onnx="Atanh", vjp=(lambda g, y, x: over(g, (1 - x) * (1 + x)),))
def arctanh(x):
    """Elementwise inverse hyperbolic tangent, of numbers between -1 and 1."""
    return np.arctanh(x)


def radians(x):
    """`x` degrees in radians."""
    return multiply(x, math.pi / 180)


def degrees(x):
    """`x` radians in degrees."""
    return multiply(x, 180 / math.pi)


deg2rad, rad2deg = radians, degrees
