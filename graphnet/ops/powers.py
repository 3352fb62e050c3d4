"""Powers and roots, with the slopes of a square or a root together with what is below it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphnet.declare import elementwise
from graphnet.leaves import KINDS
from graphnet.node import Tensor
from graphnet.ops.arithmetic import ROOTS, SQUARED, absolute, conjugate, over, times
from graphnet.ops.choices import where
from graphnet.ops.comparisons import equal, isnan
from graphnet.ops.exponentials import log
from graphnet.record import pair
from graphnet.typed import ArrayLike


def _base(a: Any, b: Any) -> Any:
    """What is raised to the power 2, or 1/2."""
    if b.__class__ in KINDS:
        known = b.__class__ is Tensor and b.op is None and b._value.__class__ is np.ndarray
        b = b._value if known and b._value.ndim == 0 else None
    return None if b is None else (a, SQUARED) if b == 2 else (a, ROOTS) if b == 0.5 else None


def _log(x: Any) -> Any:
    # Of small whole numbers NumPy's is in half precision.
    return log(x * 1.0 if x.dtype.kind in "biu" else x)


def _power_of_constant(a: Any, b: Any) -> Any:
    """Common powers by products and roots, in the dtype of `a`: exact to rounding, and much faster than `pow`."""
    if b == 2:
        return np.square(a)
    if b == 1:
        return np.positive(a)
    if b == 0.5:
        # pow(-inf, 0.5) is inf and pow(-0.0, 0.5) is 0.0; sqrt gives nan and -0.0.
        return np.sqrt(a) if not (a <= 0).any() else np.power(a, b)
    return np.power(a, b)


def _negative_exponents(a: Any, b: Any) -> Any:
    """Whether whole numbers may be raised to negative whole numbers, which has no whole result."""
    if a.dtype.kind == "f" or b.dtype.kind != "i":
        return False
    known = getattr(b, "_value", None)
    return not (isinstance(known, np.ndarray) and b.op is None and b.__class__ is Tensor and not (known < 0).any())


@elementwise(
    "pow({a}, {b})",
    onnx="Pow",
    may_raise=_negative_exponents,
    complex=True,
    pairs=SQUARED,
    reads=_base,
    vjp=(
        # b = 0 makes the factor 0, so that 0 ** -1 = inf does not count.
        lambda g, y, a, b: times(times(g, b), power(a, b - 1)),
        # Where a is 0 the power does not change with the exponent.
        lambda g, y, a, b: times(times(g, y), _log(where(equal(a, 0), 1, a + 0j if y.dtype.kind == "c" else a))),
    ),
    cost=4.0,
    weight=8,
)
def power(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The power `a ** b`, element by element.

    Inputs broadcast. The dtype is NumPy's promoted one: whole numbers to the power 2.0 are float64. The derivative for
    `a` is `b * a**(b - 1)`, 0 where b is 0; for `b` it is `a**b * log(a)`, 0 where a is 0. A constant exponent never
    computes `log(a)`, so powers of negative numbers have gradients.

    Raises `ValueError` for whole numbers to a negative whole power, and for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.power([1.0, 2.0, 3.0], 2), gn.grad(lambda x: x**3)(-2.0)
    (Tensor([1., 4., 9.]), Tensor(12.))
    """
    if a.__class__ is np.ndarray:
        number = b.__class__
        if number is float or number is int or (number is np.ndarray and b.ndim == 0 and b.dtype == a.dtype):
            # Only where the result has the dtype of `a`: 2.0 makes floating-point numbers of whole ones.
            kind = a.dtype.kind
            if kind == "f" or (kind in "iu" and number is not float):
                return _power_of_constant(a, b)
    return np.power(a, b)


pow = power


@elementwise("({x} * {x})", ufunc=np.square, complex=True, vjp=(lambda g, y, x: times(g, 2 * x),), pairs=SQUARED)
def square(x: ArrayLike) -> Tensor:
    """`x * x`, element by element, in the shape and dtype of `x`.

    Its derivative is `2 * x`; after a root or a norm it is that of what is below the root, so it is right at 0 too.

    >>> import graphnet as gn
    >>> gn.square([3.0, -4.0]), gn.grad(lambda x: gn.square(gn.sqrt(x)))(0.0)
    (Tensor([ 9., 16.]), Tensor(1.))
    """


@elementwise(
    "sqrt({x})",
    ufunc=np.sqrt,
    onnx="Sqrt",
    complex=True,
    vjp=(lambda g, y, x: over(g, 2 * y),),
    pairs=ROOTS,
    cost=0.25,
    weight=1,
)
def sqrt(x: ArrayLike) -> Tensor:
    """The square root, element by element; NaN for numbers below 0.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. The derivative `1 / (2 * sqrt(x))`
    is infinite at 0.

    >>> import graphnet as gn
    >>> gn.sqrt([4.0, 9.0])
    Tensor([2., 3.])
    """


# Where x is below 0, its root is no number, and so is the slope.
pair(SQUARED, sqrt, lambda g, y, x: times(g, where(isnan(y), math.nan, 1)))
pair(
    SQUARED,
    power,
    lambda g, y, a, b: times(times(g, 2.0 * b), where(isnan(y), math.nan, power(a, 2.0 * b - 1))),
    lambda g, y, a, b: times(times(g, 2 * y * y), _log(where(equal(a, 0), 1, a))),
)
pair(SQUARED, absolute, lambda g, y, x: times(g, 2 * (conjugate(x) if x.dtype.kind == "c" else x)))


@elementwise("cbrt({x})", ufunc=np.cbrt, vjp=(lambda g, y, x: over(g, 3 * y * y),))
def cbrt(x: ArrayLike) -> Tensor:
    """The cube root, element by element, also of negative numbers.

    The shape is that of `x`; float32 stays float32, int32 and int64 become float64. The derivative at 0 is infinite.

    >>> import graphnet as gn
    >>> gn.cbrt([8.0, -27.0])
    Tensor([ 2., -3.])
    """
