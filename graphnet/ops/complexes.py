"""Parts of complex numbers. A gradient flows through them to real numbers, in eager code."""

from __future__ import annotations

import numpy as np

from graphnet.apply import as_tensor
from graphnet.declare import elementwise
from graphnet.naming import naming
from graphnet.node import Tensor
from graphnet.ops.angles import arctan2, degrees
from graphnet.ops.arithmetic import conjugate
from graphnet.typed import ArrayLike


@elementwise("{x}", complex=True, may_raise=False, vjp=(lambda g, y, x: g,))
def real(x: ArrayLike) -> Tensor:
    """The real part, element by element; real numbers stay as they are.

    The shape is that of `x`; complex128 becomes float64, complex64 float32.

    >>> import graphnet as gn
    >>> import numpy as np
    >>> gn.real([1 + 2j, 3.0]), gn.grad(lambda x: gn.real(gn.exp(1j * x)))(np.pi / 2)
    (Tensor([1., 3.]), Tensor(-1.))
    """
    return np.array(np.real(x))


@elementwise(complex=True, may_raise=False, vjp=(lambda g, y, x: g * (-1j if x.dtype.kind == "c" else 0),))
def imag(x: ArrayLike) -> Tensor:
    """The imaginary part, element by element; 0 for real numbers.

    The shape is that of `x`; complex128 becomes float64, complex64 float32.

    >>> import graphnet as gn
    >>> gn.imag([1 + 2j, 3.0])
    Tensor([2., 0.])
    """
    return np.array(np.imag(x))


@naming
def angle(z: ArrayLike, deg: bool = False) -> Tensor:
    """The angle of each complex number `z` in the plane, from -pi to pi; with `deg` in degrees.

    The shape is that of `z`, and the result is real. Of real numbers it is 0 or pi. The gradient at 0 is 0.

    >>> import graphnet as gn
    >>> gn.angle([1 + 1j, -2.0]), gn.angle(1j, deg=True)
    (Tensor([0.78539816, 3.14159265]), Tensor(90.))
    """
    z = as_tensor(z)
    y = arctan2(imag(z), real(z))
    return degrees(y) if deg else y


conj = conjugate
