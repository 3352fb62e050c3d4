"""Rounding, element by element. All derivatives are 0."""

from __future__ import annotations

import numpy as np

from graphnet.declare import elementwise
from graphnet.node import Tensor
from graphnet.typed import ArrayLike


@elementwise("floor({x})", ufunc=np.floor, onnx="Floor", vjp=(None,))
def floor(x: ArrayLike) -> Tensor:
    """The largest whole number not above `x`, element by element. Its derivative is 0.

    Shape and floating-point dtype are those of `x`: 2.0, not 2.

    >>> import graphnet as gn
    >>> gn.floor([2.7, -2.2])
    Tensor([ 2., -3.])
    """


@elementwise("ceil({x})", ufunc=np.ceil, onnx="Ceil", vjp=(None,))
def ceil(x: ArrayLike) -> Tensor:
    """The smallest whole number not below `x`, element by element. Its derivative is 0.

    Shape and floating-point dtype are those of `x`: 3.0, not 3.

    >>> import graphnet as gn
    >>> gn.ceil([2.2, -2.7])
    Tensor([ 3., -2.])
    """


@elementwise("trunc({x})", ufunc=np.trunc, vjp=(None,))
def trunc(x: ArrayLike) -> Tensor:
    """`x` without its fraction, element by element: rounded towards 0. Its derivative is 0.

    Shape and floating-point dtype are those of `x`.

    >>> import graphnet as gn
    >>> gn.trunc([2.7, -2.7])
    Tensor([ 2., -2.])
    """


@elementwise("rint({x})", ufunc=np.rint, onnx="Round", vjp=(None,))
def rint(x: ArrayLike) -> Tensor:
    """The nearest whole number, element by element, halves to the even one. Its derivative is 0.

    Shape and floating-point dtype are those of `x`. `round` also rounds to decimals.

    >>> import graphnet as gn
    >>> gn.rint([0.5, 1.5, 2.6])
    Tensor([0., 2., 3.])
    """


@elementwise(vjp=(None,))
def round(x: ArrayLike, decimals: int = 0) -> Tensor:
    """`x` rounded to `decimals` decimal places, halves to even; with -1 to tens. Its derivative is 0.

    Shape and dtype are those of `x`. As in NumPy, it multiplies by a power of ten, rounds and divides, so the last
    digit can differ from that of Python's `round`.

    >>> import graphnet as gn
    >>> gn.round([0.125, 0.375], 2), gn.round(1234.0, -2)
    (Tensor([0.12, 0.38]), Tensor(1200.))
    """
    return np.round(x, decimals)
