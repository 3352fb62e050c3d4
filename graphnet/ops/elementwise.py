"""Ops that work element by element: arithmetic, comparison, exponentials, trigonometry, rounding, activations.

Two products are made for gradient rules: `times(g, d)` and `over(g, d)` are `g * d` and `g / d`, but 0 wherever `g` is
0, even if `d` is infinite or NaN. A gradient that is zero stays zero on its way through a branch that was not taken.
"""

from __future__ import annotations

import numpy as np

from graphnet.op import apply, elementwise
from graphnet.tensor import ndarray, state

# ---------------------------------------------------------------------------


@elementwise(
    "0.0 if {g} == 0 else {g} * {d}",
    vjp=(lambda h, y, g, d: times(h, d), lambda h, y, g, d: times(h, g)),
)
def multiply_no_nan(g, d):
    """`g * d`, and 0 wherever `g` is 0, whatever `d` is."""
    y = g * d
    return np.where(np.equal(g, 0), np.zeros((), np.asarray(y).dtype), y) if np.isnan(y).any() else y


@elementwise(
    "0.0 if {g} == 0 else {g} / {d}",
    vjp=(lambda h, y, g, d: over(h, d), lambda h, y, g, d: over(times(h, -y), d)),
)
def divide_no_nan(g, d):
    """`g / d`, and 0 wherever `g` is 0, whatever `d` is."""
    y = g / d
    return np.where(np.equal(g, 0), np.zeros((), np.asarray(y).dtype), y) if np.isnan(y).any() else y


def times(g, d):
    """`multiply_no_nan` as gradient rules call it: on bare arrays the engine looks for NaN once, at the end."""
    if g.__class__ is ndarray:
        m = state.mode
        if m.raw and not m.strict and d.__class__ in _BARE:
            return g * d
    return apply(multiply_no_nan.op, (g, d))


def over(g, d):
    """`divide_no_nan` as gradient rules call it."""
    if g.__class__ is ndarray:
        m = state.mode
        if m.raw and not m.strict and d.__class__ in _BARE:
            return g / d
    return apply(divide_no_nan.op, (g, d))


_BARE = frozenset({ndarray, float, int, bool, np.float64, np.float32})


@elementwise("{a} + {b}", onnx="Add", vjp=(lambda g, y, a, b: g, lambda g, y, a, b: g))
def add(a, b):
    """Elementwise sum, `a + b`."""
    return np.add(a, b)


@elementwise("{a} - {b}", onnx="Sub", vjp=(lambda g, y, a, b: g, lambda g, y, a, b: -g))
def subtract(a, b):
    """Elementwise difference, `a - b`."""
    return np.subtract(a, b)


@elementwise("{a} * {b}", onnx="Mul", vjp=(lambda g, y, a, b: times(g, b), lambda g, y, a, b: times(g, a)))
def multiply(a, b):
    """Elementwise product, `a * b`."""
    return np.multiply(a, b)


@elementwise("{a} / {b}", onnx="Div", vjp=(lambda g, y, a, b: over(g, b), lambda g, y, a, b: over(times(g, -y), b)))
def divide(a, b):
    """Elementwise quotient, `a / b`."""
    return np.divide(a, b)


@elementwise("-{x}", onnx="Neg", vjp=(lambda g, y, x: -g,))
def negative(x):
    """Elementwise `-x`."""
    return np.negative(x)


@elementwise("exp({x})", onnx="Exp", vjp=(lambda g, y, x: times(g, y),))
def exp(x):
    """Elementwise exponential."""
    return np.exp(x)


@elementwise("sin({x})", onnx="Sin", vjp=(lambda g, y, x: times(g, cos(x)),))
def sin(x):
    """Elementwise sine of an angle in radians."""
    return np.sin(x)


@elementwise("cos({x})", onnx="Cos", vjp=(lambda g, y, x: times(g, -sin(x)),))
def cos(x):
    """Elementwise cosine of an angle in radians."""
    return np.cos(x)


@elementwise("tanh({x})", onnx="Tanh", vjp=(lambda g, y, x: g * (1 - y * y),))
def tanh(x):
    """Elementwise hyperbolic tangent."""
    return np.tanh(x)


@elementwise("sqrt({x})", onnx="Sqrt", vjp=(lambda g, y, x: over(g, 2 * y),))
def sqrt(x):
    """Elementwise square root."""
    return np.sqrt(x)


@elementwise("log({x})", onnx="Log", vjp=(lambda g, y, x: over(g, x),))
def log(x):
    """Elementwise natural logarithm."""
    return np.log(x)
