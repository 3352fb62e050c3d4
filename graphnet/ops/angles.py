"""Trigonometric and hyperbolic functions and their inverses, element by element."""

from __future__ import annotations

import math

import numpy as np

from graphnet.declare import elementwise
from graphnet.naming import naming
from graphnet.node import Tensor
from graphnet.ops.arithmetic import SQUARED, multiply, over, times
from graphnet.ops.choices import never_zero
from graphnet.ops.exponentials import inverses
from graphnet.ops.powers import sqrt
from graphnet.ops.sigmoids import tanh
from graphnet.record import pair
from graphnet.typed import ArrayLike


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
        lambda g, y, a, b: times(g, b / never_zero(hypot(a, b)) / never_zero(hypot(a, b))),
        lambda g, y, a, b: times(g, -(a / never_zero(hypot(a, b)) / never_zero(hypot(a, b)))),
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


@elementwise(
    "hypot({a}, {b})",
    ufunc=np.hypot,
    vjp=(lambda g, y, a, b: times(g, a / never_zero(y)), lambda g, y, a, b: times(g, b / never_zero(y))),
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


@naming
def radians(x: ArrayLike) -> Tensor:
    """`x * pi / 180`, element by element: degrees as radians. Also `deg2rad`.

    The shape is that of `x`; float32 stays float32, whole numbers become float64.

    >>> import graphnet as gn
    >>> gn.radians([0.0, 180.0])
    Tensor([0.        , 3.14159265])
    """
    return multiply(x, math.pi / 180)


@naming
def degrees(x: ArrayLike) -> Tensor:
    """`x * 180 / pi`, element by element: radians as degrees. Also `rad2deg`.

    The shape is that of `x`; float32 stays float32, whole numbers become float64.

    >>> import graphnet as gn
    >>> gn.degrees([0.0, 1.0])
    Tensor([ 0.        , 57.29577951])
    """
    return multiply(x, 180 / math.pi)


deg2rad, rad2deg = radians, degrees

inverses((sin, arcsin), (cos, arccos), (cosh, arccosh), (tanh, arctanh))
pair(SQUARED, hypot, lambda g, y, a, b: times(g, 2 * a), lambda g, y, a, b: times(g, 2 * b))
