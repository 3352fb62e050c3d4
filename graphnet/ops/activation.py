"""Activation functions: the nonlinear ends of layers. Softmax and its kin are in `graphnet.ops.softmaxes`."""

from __future__ import annotations

import math

import numpy as np

from graphnet.apply import as_tensor
from graphnet.composites import composite
from graphnet.declare import elementwise
from graphnet.naming import naming
from graphnet.node import Tensor
from graphnet.ops.angles import hypot
from graphnet.ops.arithmetic import absolute, times
from graphnet.ops.choices import clip, clip_high, where
from graphnet.ops.comparisons import greater, greater_equal, less
from graphnet.ops.exponentials import exp, expm1
from graphnet.ops.joining import split
from graphnet.ops.powers import square
from graphnet.ops.sigmoids import sigmoid, softplus, tanh
from graphnet.ops.special import erfc
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
    """`max(x, 0)`, element by element; NaN stays NaN. Its derivative at 0 is 0.

    Shape and dtype are those of `x`.

    >>> import graphnet as gn
    >>> gn.relu([-1.0, 0.0, 2.0]), gn.grad(gn.relu)(0.0)
    (Tensor([0., 0., 2.]), Tensor(0.))
    """
    return np.maximum(x, 0)


@elementwise(
    "({x} if {x} > 0 else {x} * {negative_slope})",
    onnx="LeakyRelu",
    vjp=(lambda g, y, x, negative_slope: where(greater(x, 0), g, g * negative_slope),),
    kink=("x is 0: slope negative_slope", lambda y, x, negative_slope: np.equal(x, 0)),
)
def leaky_relu(x: ArrayLike, negative_slope: float = 0.2) -> Tensor:
    """`x` above 0, `negative_slope * x` below, element by element. Its derivative at 0 is `negative_slope`.

    The shape is that of `x`; float32 stays float32, whole numbers become float64 (Maas et al., "Rectifier
    Nonlinearities Improve Neural Network Acoustic Models", 2013).

    >>> import graphnet as gn
    >>> gn.leaky_relu([-1.0, 2.0])
    Tensor([-0.2,  2. ])
    """
    return np.where(np.greater(x, 0), x, np.multiply(x, negative_slope))


@elementwise(
    "({x} if {x} > 0 else {alpha} * expm1({x}))",
    onnx="Elu",
    vjp=(lambda g, y, x, alpha: where(greater(x, 0), g, times(g, alpha * exp(where(greater(x, 0), 0, x)))),),
    kink=("x is 0: slope alpha", lambda y, x, alpha: np.equal(x, 0) & (alpha != 1)),
)
def elu(x: ArrayLike, alpha: float = 1.0) -> Tensor:
    """`x` above 0, `alpha * (exp(x) - 1)` below, element by element. Its derivative at 0 is `alpha`.

    The shape is that of `x`; float32 stays float32, whole numbers become float64 (Clevert et al., "Fast and Accurate
    Deep Network Learning by Exponential Linear Units", 2015).

    >>> import graphnet as gn
    >>> gn.elu([-1.0, 2.0])
    Tensor([-0.63212056,  2.        ])
    """
    return np.where(np.greater(x, 0), x, alpha * np.expm1(np.minimum(x, 0)))


@composite
def selu(x: ArrayLike) -> Tensor:
    """`1.0507 * elu(x, 1.6733)`, element by element: a layer then keeps mean 0 and variance 1.

    The shape is that of `x`; float32 stays float32, whole numbers become float64 (Klambauer et al., "Self-Normalizing
    Neural Networks", 2017).

    >>> import graphnet as gn
    >>> gn.selu([-1.0, 2.0])
    Tensor([-1.11133074,  2.10140197])
    """
    return elu(x, alpha=_SELU_ALPHA) * _SELU_SCALE


@composite
def gelu(x: ArrayLike, approximate: bool = False) -> Tensor:
    """`x * (1 + erf(x / sqrt(2))) / 2`, element by element: `x` times the normal distribution function.

    With `approximate` it is `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2`. The shape is that of `x`;
    float32 stays float32, whole numbers become float64 (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016).

    >>> import graphnet as gn
    >>> gn.gelu([-1.0, 2.0]), gn.gelu(2.0, approximate=True)
    (Tensor([-0.15865525,  1.95449974]), Tensor(1.95459769))
    """
    if approximate:
        # (1 + tanh(u)) / 2 is sigmoid(2 u), without the digits that the sum loses far below 0.
        return x * sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * (x * x * x)))
    return 0.5 * x * erfc(x * (-math.sqrt(0.5)))


@composite
def silu(x: ArrayLike) -> Tensor:
    """`x * sigmoid(x)`, element by element. Also called swish.

    The shape is that of `x`; float32 stays float32, whole numbers become float64 (Elfwing et al., "Sigmoid-Weighted
    Linear Units for Neural Network Function Approximation in Reinforcement Learning", 2017).

    >>> import graphnet as gn
    >>> gn.silu([-1.0, 2.0])
    Tensor([-0.26894142,  1.76159416])
    """
    return x * sigmoid(x)


@composite
def mish(x: ArrayLike) -> Tensor:
    """`x * tanh(softplus(x))`, element by element.

    The shape is that of `x`; float32 stays float32, whole numbers become float64 (Misra, "Mish: A Self Regularized
    Non-Monotonic Activation Function", 2019).

    >>> import graphnet as gn
    >>> gn.mish([-1.0, 2.0])
    Tensor([-0.30340146,  1.94395896])
    """
    return x * tanh(softplus(x))


@composite
def softsign(x: ArrayLike) -> Tensor:
    """`x / (1 + |x|)`, element by element, from -1 to 1.

    The shape is that of `x`; float32 stays float32, whole numbers become float64. The derivative at 0 is 1.

    >>> import graphnet as gn
    >>> gn.softsign([-1.0, 3.0])
    Tensor([-0.5 ,  0.75])
    """
    return x / (1.0 + absolute(x))


@composite
def relu6(x: ArrayLike) -> Tensor:
    """`min(max(x, 0), 6)`, element by element. Its derivative is 0 at both ends.

    Shape and dtype are those of `x` (Krizhevsky, "Convolutional Deep Belief Networks on CIFAR-10", 2010).

    >>> import graphnet as gn
    >>> gn.relu6([-1.0, 2.0, 8.0])
    Tensor([0., 2., 6.])
    """
    return where(greater_equal(x, 6), 6, relu(x))


@composite
def hard_sigmoid(x: ArrayLike) -> Tensor:
    """`relu6(x + 3) / 6`, element by element: a sigmoid of straight lines, 0 up to -3 and 1 from 3 on.

    The shape is that of `x`; float32 stays float32, whole numbers become float64. The derivative is 1/6 at both ends.

    >>> import graphnet as gn
    >>> gn.hard_sigmoid([-4.0, 0.0, 1.5])
    Tensor([0.  , 0.5 , 0.75])
    """
    return clip(x * (1 / 6) + 0.5, 0.0, 1.0)


@composite
def hard_silu(x: ArrayLike) -> Tensor:
    """`x * relu6(x + 3) / 6`, element by element: 0 up to -3, `x` from 3 on. Also called hard swish.

    The shape is that of `x`; float32 stays float32, whole numbers become float64 (Howard et al., "Searching for
    MobileNetV3", 2019).

    >>> import graphnet as gn
    >>> gn.hard_silu([-4.0, 1.0, 5.0])
    Tensor([-0.        ,  0.66666667,  5.        ])
    """
    return x * hard_sigmoid(x)


@composite
def hard_tanh(x: ArrayLike) -> Tensor:
    """`min(max(x, -1), 1)`, element by element. Its derivative is 1 at both ends.

    Shape and floating-point dtype are those of `x`.

    >>> import graphnet as gn
    >>> gn.hard_tanh([-2.0, 0.5, 3.0])
    Tensor([-1. ,  0.5,  1. ])
    """
    return clip(x, -1.0, 1.0)


@composite
def celu(x: ArrayLike, alpha: float = 1.0) -> Tensor:
    """`x` above 0, `alpha * (exp(x / alpha) - 1)` below, element by element: differentiable at 0 for every `alpha`.

    The shape is that of `x`; float32 stays float32, whole numbers become float64 (Barron, "Continuously Differentiable
    Exponential Linear Units", 2017).

    >>> import graphnet as gn
    >>> gn.celu([-1.0, 2.0], alpha=2.0)
    Tensor([-0.78693868,  2.        ])
    """
    return where(greater(x, 0), x, alpha * expm1(clip_high(x, 0) / alpha))


@composite
def glu(x: ArrayLike, axis: int = -1) -> Tensor:
    """`u * sigmoid(v)` of the two halves `u` and `v` of `x` along `axis`.

    The result is half as long along `axis`; float32 stays float32 (Dauphin et al., "Language Modeling with Gated
    Convolutional Networks", 2016).

    Raises `ValueError` for an odd number of elements along `axis`.

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
    """`x` where `|x|` is above `threshold`, else 0, element by element.

    Shape and dtype are those of `x`. The derivative is 1 where `x` is kept, 0 elsewhere and at the threshold.

    >>> import graphnet as gn
    >>> gn.hard_shrink([-1.0, 0.3, 0.5, 2.0])
    Tensor([-1.,  0.,  0.,  2.])
    """
    return where(greater(absolute(x), threshold), x, 0)


@composite
def soft_shrink(x: ArrayLike, threshold: float = 0.5) -> Tensor:
    """`x - threshold` above `threshold`, `x + threshold` below `-threshold`, and 0 in between, element by element.

    The shape is that of `x`; float32 stays float32, whole numbers become float64.

    >>> import graphnet as gn
    >>> gn.soft_shrink([-1.0, 0.3, 2.0])
    Tensor([-0.5,  0. ,  1.5])
    """
    return x - clip(x, -threshold, threshold)


@composite
def tanh_shrink(x: ArrayLike) -> Tensor:
    """`x - tanh(x)`, element by element.

    The shape is that of `x`; float32 stays float32, whole numbers become float64.

    >>> import graphnet as gn
    >>> gn.tanh_shrink([0.0, 1.0])
    Tensor([0.        , 0.23840584])
    """
    return x - tanh(x)


@composite
def squareplus(x: ArrayLike, b: float = 4) -> Tensor:
    """`(x + sqrt(x**2 + b)) / 2`, element by element: close to softplus, but without exponentials.

    The shape is that of `x`; float32 stays float32, whole numbers become float64. It keeps its digits far below 0
    (Barron, "Squareplus: A Softplus-Like Algebraic Rectifier", 2021).

    >>> import graphnet as gn
    >>> gn.squareplus([-1.0, 0.0, 2.0])
    Tensor([0.61803399, 1.        , 2.41421356])
    """
    root = hypot(x, math.sqrt(b))
    # Far below 0 the sum would cancel: there it is b / 2 over a sum of two positive numbers.
    return where(less(x, 0), 0.5 * b / (root - clip_high(x, 0)), 0.5 * (x + root))


@composite
def sparse_plus(x: ArrayLike) -> Tensor:
    """0 up to -1, `(x + 1)**2 / 4` up to 1, then `x`, element by element: a softplus that is exactly 0 below -1.

    The shape is that of `x`; float32 stays float32, whole numbers become float64. It is differentiable everywhere.

    >>> import graphnet as gn
    >>> gn.sparse_plus([-2.0, 0.0, 3.0])
    Tensor([0.  , 0.25, 3.  ])
    """
    return where(greater(x, 1), x, square(clip(x, -1.0, 1.0) + 1) / 4)


@composite
def sparse_sigmoid(x: ArrayLike) -> Tensor:
    """`min(max((x + 1) / 2, 0), 1)`, element by element: the derivative of `sparse_plus`.

    The shape is that of `x`; float32 stays float32, whole numbers become float64. Its own derivative at both ends is
    1/2.

    >>> import graphnet as gn
    >>> gn.sparse_sigmoid([-2.0, 0.0, 3.0])
    Tensor([0. , 0.5, 1. ])
    """
    # Cut first: the largest integer of a dtype plus 1 is its smallest.
    return 0.5 * (clip(x, -1.0, 1.0) + 1)


@composite
def threshold(x: ArrayLike, threshold: float = 0.0, default_value: float = 0.0) -> Tensor:
    """`x` where it is above `threshold`, else `default_value`, element by element.

    The shape is that of `x`; float32 stays float32. The derivative is 1 where `x` is kept, 0 elsewhere, 0 at the
    threshold too.

    >>> import graphnet as gn
    >>> gn.threshold([-1.0, 0.5, 2.0], threshold=0.5, default_value=-9.0)
    Tensor([-9., -9.,  2.])
    """
    return where(greater(x, threshold), x, default_value)


@naming
def linear(x: ArrayLike) -> Tensor:
    """`x` itself: the activation of a layer without one. Shape and dtype are those of `x`.

    >>> import graphnet as gn
    >>> gn.linear([1.0, -2.0])
    Tensor([ 1., -2.])
    """
    return x if isinstance(x, Tensor) else as_tensor(x)


swish = silu
