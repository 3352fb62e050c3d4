"""Activation functions: the nonlinear ends of layers. Softmax and its kin are in `graphnet.ops.softmaxes`."""

from __future__ import annotations

import math

import numpy as np

from graphnet.declare import composite, elementwise
from graphnet.node import Tensor
from graphnet.ops.elementwise import absolute, clip, clip_high, greater, greater_equal, less, square, times, where
from graphnet.ops.shaping import split
from graphnet.ops.special import erfc
from graphnet.ops.transcendental import exp, expm1, hypot, sigmoid, softplus, tanh
from graphnet.typed import ArrayLike

_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


@elementwise(
    "maximum({x}, 0)",
    onnx="Relu",
    vjp=(lambda g, y, x: where(greater(x, 0), g, 0),),
    kink=("x is 0: slope 0", lambda y, x: np.equal(x, 0)),
)
def relu(x: ArrayLike) -> Tensor:
    """Elementwise `max(x, 0)`; its derivative at 0 is 0."""
    return np.maximum(x, 0)


@elementwise(
    "({x} if {x} > 0 else {x} * {negative_slope})",
    onnx="LeakyRelu",
    vjp=(lambda g, y, x, negative_slope: where(greater(x, 0), g, g * negative_slope),),
    kink=("x is 0: slope negative_slope", lambda y, x, negative_slope: np.equal(x, 0)),
)
def leaky_relu(x: ArrayLike, negative_slope: float = 0.2) -> Tensor:
    """Elementwise `x` above 0, `negative_slope * x` below; the derivative at 0 is `negative_slope`."""
    return np.where(np.greater(x, 0), x, np.multiply(x, negative_slope))


@elementwise(
    "({x} if {x} > 0 else {alpha} * expm1({x}))",
    onnx="Elu",
    vjp=(lambda g, y, x, alpha: where(greater(x, 0), g, times(g, alpha * exp(where(greater(x, 0), 0, x)))),),
    kink=("x is 0: slope alpha", lambda y, x, alpha: np.equal(x, 0) & (alpha != 1)),
)
def elu(x: ArrayLike, alpha: float = 1.0) -> Tensor:
    """Elementwise `x` above 0, `alpha * (exp(x) - 1)` below (Clevert, Unterthiner, Hochreiter, 2016)."""
    return np.where(np.greater(x, 0), x, alpha * np.expm1(np.minimum(x, 0)))


@composite
def selu(x: ArrayLike) -> Tensor:
    """Elementwise `1.0507 * elu(x, 1.6733)`: keeps mean 0 and variance 1 (Klambauer et al., 2017)."""
    return elu(x, alpha=_SELU_ALPHA) * _SELU_SCALE


@composite
def gelu(x: ArrayLike, approximate: bool = False) -> Tensor:
    """Elementwise `x` times the normal distribution's P(X <= x) (Hendrycks and Gimpel, 2016).

    Exact by the error function, or with `approximate=True` by
    `x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x**3)))`.

    >>> import graphnet as gn
    >>> gn.gelu([-2.0, 2.0])
    Tensor([-0.04550026,  1.95449974])
    """
    if approximate:
        # (1 + tanh(u)) / 2 is sigmoid(2 u), without the digits that the sum loses far below 0.
        return x * sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * (x * x * x)))
    return 0.5 * x * erfc(x * (-math.sqrt(0.5)))


@composite
def silu(x: ArrayLike) -> Tensor:
    """Elementwise `x * sigmoid(x)`, also known as swish."""
    return x * sigmoid(x)


@composite
def mish(x: ArrayLike) -> Tensor:
    """Elementwise `x * tanh(softplus(x))` (Misra, 2019)."""
    return x * tanh(softplus(x))


@composite
def softsign(x: ArrayLike) -> Tensor:
    """Elementwise `x / (1 + |x|)`."""
    return x / (1.0 + absolute(x))


@composite
def relu6(x: ArrayLike) -> Tensor:
    """Elementwise `min(max(x, 0), 6)`; its derivative is 0 at both ends."""
    return where(greater_equal(x, 6), 6, relu(x))


@composite
def hard_sigmoid(x: ArrayLike) -> Tensor:
    """Elementwise `relu6(x + 3) / 6`: a sigmoid of straight pieces."""
    return clip(x * (1 / 6) + 0.5, 0.0, 1.0)


@composite
def hard_silu(x: ArrayLike) -> Tensor:
    """Elementwise `x * hard_sigmoid(x)`."""
    return x * hard_sigmoid(x)


@composite
def hard_tanh(x: ArrayLike) -> Tensor:
    """Elementwise `x`, cut to the interval from -1 to 1; the derivative at both ends is 1."""
    return clip(x, -1.0, 1.0)


@composite
def celu(x: ArrayLike, alpha: float = 1.0) -> Tensor:
    """Elementwise `x` above 0, `alpha * (exp(x / alpha) - 1)` below: smooth at 0 for any `alpha` (Barron, 2017)."""
    return where(greater(x, 0), x, alpha * expm1(clip_high(x, 0) / alpha))


@composite
def glu(x: ArrayLike, axis: int = -1) -> Tensor:
    """`a * sigmoid(b)`, with a and b the two halves of `x` along `axis` (Dauphin et al., 2017).

    Raises `ValueError` for an odd size.

    >>> import graphnet as gn
    >>> gn.glu([1.0, 2.0, 0.0, 0.0])
    Tensor([0.5, 1. ])
    """
    if x.shape[axis] % 2:
        raise ValueError(f"glu: axis {axis} of shape {x.shape} cannot be halved: its size is odd")
    a, b = split(x, 2, axis=axis)
    return a * sigmoid(b)


@composite
def hard_shrink(x: ArrayLike, threshold: float = 0.5) -> Tensor:
    """Elementwise `x` where `|x| > threshold`, else 0."""
    return where(greater(absolute(x), threshold), x, 0)


@composite
def soft_shrink(x: ArrayLike, threshold: float = 0.5) -> Tensor:
    """Elementwise `x` moved towards 0 by `threshold`, and 0 for what is nearer than that."""
    return x - clip(x, -threshold, threshold)


@composite
def tanh_shrink(x: ArrayLike) -> Tensor:
    """Elementwise `x - tanh(x)`."""
    return x - tanh(x)


@composite
def squareplus(x: ArrayLike, b: float = 4) -> Tensor:
    """Elementwise `(x + sqrt(x**2 + b)) / 2`: like softplus, without exponentials (Barron, 2021)."""
    root = hypot(x, math.sqrt(b))
    # Far below 0 the sum would cancel: there it is b / 2 over a sum of two positive numbers.
    return where(less(x, 0), 0.5 * b / (root - clip_high(x, 0)), 0.5 * (x + root))


@composite
def sparse_plus(x: ArrayLike) -> Tensor:
    """Elementwise 0 up to -1, `(x + 1)**2 / 4` up to 1, then `x`: a softplus that ends."""
    return where(greater(x, 1), x, square(clip(x, -1.0, 1.0) + 1) / 4)


@composite
def sparse_sigmoid(x: ArrayLike) -> Tensor:
    """Elementwise `(x + 1) / 2`, cut to the interval from 0 to 1; the derivative at both ends is 1/2."""
    # Cut first: the largest integer of a dtype plus 1 is its smallest.
    return 0.5 * (clip(x, -1.0, 1.0) + 1)


@composite
def threshold(x: ArrayLike, threshold: float = 0.0, default_value: float = 0.0) -> Tensor:
    """Elementwise `x` where it is above `threshold`, else `default_value`."""
    return where(greater(x, threshold), x, default_value)


def linear(x: ArrayLike) -> Tensor:
    """`x` itself."""
    return x


swish = silu
