"""The functions with the shape of an S, `sigmoid` and `tanh`, their slopes, and the logarithms of the former."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.declare import elementwise
from graphnet.mode import state
from graphnet.node import Tensor
from graphnet.ops.arithmetic import times
from graphnet.typed import ArrayLike

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
