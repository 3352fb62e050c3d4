"""The error function and `sinc`: what NumPy lacks, or differentiates badly near 0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphnet.composites import composite
from graphnet.declare import elementwise
from graphnet.node import Tensor
from graphnet.ops.angles import sin
from graphnet.ops.arithmetic import absolute, divide, times
from graphnet.ops.choices import where
from graphnet.ops.comparisons import less
from graphnet.typed import ArrayLike

_TWO_BY_ROOT_PI = 2 / math.sqrt(math.pi)

# erf(x) / x as a polynomial in 2 x^2 - 1 on |x| <= 1, and exp(x^2) erfc(x) (x + 3) as one in the variable that maps
# x from [1, inf) to [-1, 1): Chebyshev interpolation in 50 digits, then monomials; both are within 1e-16.
_NEAR = (
    0.9654687386698673, -0.1405360890227171, 0.019852496688983708, -0.0022854855611440673, 0.0002175171560415978,
    -1.75371694414921e-05, 1.2233827383720745e-06, -7.511569160678145e-08, 4.11580054145447e-09,
    -2.0352493920236875e-10, 9.167689188119807e-12, -3.791093040150038e-13, 1.4488212905007758e-14,
    -5.166061346551406e-16, 1.713081554907914e-17,
)  # fmt: skip
_FAR = (
    0.885637101864549, -0.47966144308433484, 0.2238727333425639, -0.08762571665292862, 0.02731798719255531,
    -0.005992101444648415, 0.0005111598752257724, 0.00020565983291818805, -8.285365432218824e-05,
    2.220133471889501e-06, 6.227289693690579e-06, -1.1155397674884198e-06, -4.445392679365443e-07,
    1.5277926084898143e-07, 3.60079009617186e-08, -1.8556506053745895e-08, -3.7233298465144224e-09,
    2.221156732687444e-09, 4.903336078356113e-10, -2.4409735647439657e-10, -6.620865168829854e-11,
    1.7739267743354535e-11, 5.798518128351847e-12,
)  # fmt: skip


def _horner(coefficients: Any, s: Any) -> Any:
    y = np.full_like(s, coefficients[-1])
    for c in coefficients[-2::-1]:
        y *= s
        y += c
    return y


def _square_parted(x: Any) -> Any:
    """exp(-x^2) in float64, as exp(-h^2) exp(-(x - h)(x + h)) with h of few digits, so that h^2 is exact."""
    h = x.astype(np.float32).astype(np.float64)
    return np.exp(-h * h) * np.exp(-(x - h) * (x + h))


def _erf_and_erfc(x: Any) -> Any:
    """Both, in float64, of a float64 array."""
    size = np.abs(x)
    small = np.minimum(size, 1.0)
    near = x * _horner(_NEAR, 2 * small * small - 1)
    large = np.clip(size, 1.0, 40.0)
    scaled = _square_parted(large) / (large + 3)
    tail = scaled * _horner(_FAR, 4 / 3 * ((large - 3) / (large + 3) + 0.5) - 1)
    inner = size <= 1
    erf = np.where(inner, near, np.copysign(1 - tail, x))
    erfc = np.where(inner, 1 - near, np.where(x < 0, 2 - tail, tail))
    bad = np.isnan(x)
    return np.where(bad, x, erf), np.where(bad, x, erfc)


def _through_double(x: Any, place: Any) -> Any:
    array = np.asarray(x)
    if array.dtype.kind == "c":
        raise TypeError("it is not defined for complex numbers: of them take gn.real, gn.imag or gn.abs")
    wide = array.astype(np.float64)
    return _erf_and_erfc(wide)[place].astype(array.dtype if array.dtype.kind == "f" else np.float64)


# The rounding of x * x alone would be an error of x * x units in the last place.
@elementwise("gaussian({x})", vjp=(lambda g, y, x: times(g, y * (-2 * x)),), cost=0.5, weight=3)
def gaussian(x: ArrayLike) -> Tensor:
    """Elementwise `exp(-x**2)`, to its last digits at any size."""
    if x.dtype == np.float64:
        return _square_parted(np.clip(x, -40.0, 40.0))
    wide = x.astype(np.float64)
    return np.exp(-wide * wide).astype(x.dtype if x.dtype.kind == "f" else np.float64)


@elementwise("erf({x})", onnx="Erf", vjp=(lambda g, y, x: times(g, _TWO_BY_ROOT_PI * gaussian(x)),), cost=1.0, weight=5)
def erf(x: ArrayLike) -> Tensor:
    """The error function `2 / sqrt(pi) * integral of exp(-t**2) from 0 to x`, element by element.

    The shape is that of `x`; float32 stays float32, whole numbers become float64. The derivative is `2 / sqrt(pi) *
    exp(-x**2)`.

    >>> import graphnet as gn
    >>> gn.erf([0.0, 1.0])
    Tensor([0.        , 0.84270079])
    """
    return _through_double(x, 0)


@elementwise("erfc({x})", vjp=(lambda g, y, x: times(g, -_TWO_BY_ROOT_PI * gaussian(x)),), cost=1.2, weight=5)
def erfc(x: ArrayLike) -> Tensor:
    """`1 - erf(x)`, element by element, to full precision also for large `x`, where the subtraction would give 0.

    The shape is that of `x`; float32 stays float32, whole numbers become float64.

    >>> import graphnet as gn
    >>> gn.erfc([0.0, 10.0])
    Tensor([1.00000000e+00, 2.08848758e-45])
    """
    return _through_double(x, 1)


gaussian.op.beside = {erf.op: None, erfc.op: None}

# sin(z) / z as a series in z^2, far enough for every derivative that anybody takes at |z| < pi/2.
_SINC = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(14))


@composite
def sinc(x: ArrayLike) -> Tensor:
    """`sin(pi * x) / (pi * x)`, element by element, and 1 at 0: the normalised sinc of NumPy.

    The shape is that of `x`; float32 stays float32, whole numbers become float64. All derivatives are right at 0 too.

    >>> import graphnet as gn
    >>> gn.sinc([0.0, 0.5]), gn.grad(gn.sinc)(0.0)
    (Tensor([1.        , 0.63661977]), Tensor(0.))
    """
    near = less(absolute(x), 0.5)
    z = where(near, x, 0) * math.pi
    u = z * z
    series = u * _SINC[-1] + _SINC[-2]
    for c in _SINC[-3::-1]:
        series = series * u + c
    far = where(near, 1, x) * math.pi
    return where(near, series, divide(sin(far), far))
