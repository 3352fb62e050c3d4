"""Parts of complex numbers. A gradient flows through them to real numbers, in eager code."""

from __future__ import annotations

import numpy as np

from graphnet.apply import as_tensor
from graphnet.declare import elementwise
from graphnet.node import Tensor
from graphnet.ops.elementwise import conjugate
from graphnet.ops.transcendental import arctan2, degrees
from graphnet.typed import ArrayLike


@elementwise("{x}", complex=True, may_raise=False, vjp=(lambda g, y, x: g,))
def real(x: ArrayLike) -> Tensor:
    """The real part of each number: the number itself, where it is real.

    >>> import numpy as np
    >>> import graphnet as gn
    >>> gn.grad(lambda x: gn.real(gn.exp(1j * x)))(np.pi / 2)
    Tensor(-1.)
    """
    return np.array(np.real(x))


@elementwise(complex=True, may_raise=False, vjp=(lambda g, y, x: g * (-1j if x.dtype.kind == "c" else 0),))
def imag(x: ArrayLike) -> Tensor:
    """The imaginary part of each number: 0, where it is real."""
    return np.array(np.imag(x))


def angle(z: ArrayLike, deg: bool = False) -> Tensor:
    """The angle of each number, in radians from -pi to pi, or in degrees; its gradient at 0 is 0."""
    z = as_tensor(z)
    y = arctan2(imag(z), real(z))
    return degrees(y) if deg else y


conj = conjugate

__all__ = ["angle", "conj", "conjugate", "imag", "real"]
