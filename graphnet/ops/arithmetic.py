"""Elementwise arithmetic, and the two products that gradient rules are written with.

`times(g, d)` and `over(g, d)` are `g * d` and `g / d`, but 0 wherever `g` is 0, even if `d` is infinite or NaN: a
gradient that is zero stays zero on its way through a branch that was not taken. An infinite `g` times 0 is 0 too:
where the outer derivative of a chain is infinite and the inner one 0, 0 is a slope of the whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.apply import apply
from graphnet.declare import elementwise
from graphnet.leaves import KINDS
from graphnet.mode import state
from graphnet.node import Tensor
from graphnet.ops.rounding import trunc
from graphnet.record import Op
from graphnet.typed import ArrayLike


@elementwise(
    "zero_safe({g} * {d}, {g} == 0 or ({d} == 0 and isinf({g})))",
    guards=np.multiply,
    complex=True,
    vjp=(lambda h, y, g, d: times(h, d), lambda h, y, g, d: times(h, g)),
)
def multiply_no_nan(g: ArrayLike, d: ArrayLike) -> Tensor:
    """`g * d`, and 0 where `g` is 0, whatever `d` is, and where `d` is 0 and `g` infinite."""
    with np.errstate(all="ignore"):
        y = np.multiply(g, d)
        bad = np.isnan(y)
        if not bad.any():
            return y
        zero = np.equal(g, 0) | (np.equal(d, 0) & np.isinf(g))
        return np.where(bad & zero, np.zeros((), y.dtype), y)


@elementwise(
    "zero_safe({g} / {d}, {g} == 0)",
    guards=np.divide,
    complex=True,
    vjp=(lambda h, y, g, d: over(h, d), lambda h, y, g, d: over(times(h, -y), d)),
)
def divide_no_nan(g: ArrayLike, d: ArrayLike) -> Tensor:
    """`g / d`, and 0 where `g` is 0, whatever `d` is."""
    with np.errstate(all="ignore"):
        y = np.divide(g, d)
        bad = np.isnan(y)
        return np.where(bad & np.equal(g, 0), np.zeros((), y.dtype), y) if bad.any() else y


def times(g: Any, d: Any) -> Any:
    """`multiply_no_nan` as gradient rules call it: on bare arrays the sweep looks for NaN once, at the end."""
    if g.__class__ not in KINDS and d.__class__ not in KINDS:
        m = state.mode
        if m.raw and not m.strict:
            return g * d
    return apply(multiply_no_nan.op, (g, d))


def over(g: Any, d: Any) -> Any:
    """`divide_no_nan` as gradient rules call it."""
    if g.__class__ not in KINDS and d.__class__ not in KINDS:
        m = state.mode
        if m.raw and not m.strict:
            return g / d
    return apply(divide_no_nan.op, (g, d))


#: the rules of a square and of what is squared, together: by the latter
SQUARED: dict[Op, Any] = {}
#: the same for a square root
ROOTS: dict[Op, Any] = {}


def _squared(a: Any, b: Any) -> Any:
    """What a product is the square of: its two factors are one, or computed alike."""
    if a is b:
        return a, SQUARED
    if a.__class__ is not Tensor or b.__class__ is not Tensor or a.op is None or a.op is not b.op:
        return None
    alike = a.op in SQUARED and a.attrs == b.attrs
    return (a, SQUARED) if alike and all(i is j for i, j in zip(a._inputs, b._inputs, strict=True)) else None


@elementwise(
    "({a} + {b})",
    ufunc=np.add,
    onnx="Add",
    complex=True,
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: g),
    commutes="bits",
)
def add(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The sum `a + b`, element by element.

    Inputs broadcast; the dtype is NumPy's promoted one, in which a Python number is weak: float32 plus 1.0 is float32.
    Of booleans it is "or".

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.add([[1.0], [2.0]], [10.0, 20.0])
    Tensor([[11., 21.],
            [12., 22.]])
    """


@elementwise(
    "({a} - {b})", ufunc=np.subtract, onnx="Sub", complex=True, vjp=(lambda g, y, a, b: g, lambda g, y, a, b: -g)
)
def subtract(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The difference `a - b`, element by element.

    Inputs broadcast; the dtype is NumPy's promoted one, in which a Python number is weak. Unsigned integers wrap
    around.

    Raises `ValueError` for shapes that do not broadcast, `TypeError` for two arrays of booleans.

    >>> import graphnet as gn
    >>> gn.subtract([5.0, 7.0], 2)
    Tensor([3., 5.])
    """


@elementwise(
    "({a} * {b})",
    ufunc=np.multiply,
    onnx="Mul",
    complex=True,
    vjp=(lambda g, y, a, b: times(g, b), lambda g, y, a, b: times(g, a)),
    pairs=SQUARED,
    reads=_squared,
    commutes="bits",
)
def multiply(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The product `a * b`, element by element.

    Inputs broadcast; the dtype is NumPy's promoted one, in which a Python number is weak. Of booleans it is "and". For
    the product of matrices see `matmul`.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.multiply([[1.0], [2.0]], [10.0, 20.0])
    Tensor([[10., 20.],
            [20., 40.]])
    """


@elementwise(
    "({a} / {b})",
    ufunc=np.divide,
    onnx="Div",
    complex=True,
    vjp=(lambda g, y, a, b: over(g, b), lambda g, y, a, b: over(times(g, -y), b)),
    cost=0.2,
    weight=1,
)
def divide(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The quotient `a / b`, element by element.

    Inputs broadcast; floating-point dtypes are promoted, whole numbers give float64. Division by 0 is an infinity or,
    of 0, NaN. A gradient of 0 stays 0 where `b` is 0.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.divide([1, 2], 4)
    Tensor([0.25, 0.5 ])
    """


true_divide = divide


@elementwise("floor_divide({a}, {b})", ufunc=np.floor_divide, vjp=(None, None))
def floor_divide(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`floor(a / b)`, element by element: the largest whole number not above the quotient. Its derivative is 0.

    Inputs broadcast; the dtype is the promoted one, so whole numbers stay whole, and whole numbers divided by 0 give 0.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.floor_divide([7, -7], 2), gn.floor_divide(7.5, 2.0)
    (Tensor([ 3, -4]), Tensor(3.))
    """


_MULTIPLE = ("a is a multiple of b: slope 1", lambda y, a, b: np.equal(y, 0))


@elementwise(
    "remainder({a}, {b})",
    ufunc=np.remainder,
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: times(g, -floor_divide(a, b))),
    kink=_MULTIPLE,
)
def remainder(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`a - b * floor(a / b)`, element by element: the remainder with the sign of `b`, as Python's `%`.

    Inputs broadcast; the dtype is the promoted one. The derivative for `a` is 1, also at multiples of `b`, where the
    function jumps; for `b` it is `-floor(a / b)`. `fmod` has the sign of `a`.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.remainder([7.0, -7.0], 4.0)
    Tensor([3., 1.])
    """


mod = remainder


@elementwise(
    "fmod({a}, {b})",
    ufunc=np.fmod,
    onnx="Mod",
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: times(g, -trunc(a / b))),
    kink=_MULTIPLE,
)
def fmod(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`a - b * trunc(a / b)`, element by element: the remainder with the sign of `a`, as C's `fmod`.

    Inputs broadcast; the dtype is the promoted one. The derivative for `a` is 1, also at multiples of `b`, where the
    function jumps; for `b` it is `-trunc(a / b)`. `remainder` has the sign of `b`.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.fmod([7.0, -7.0], 4.0)
    Tensor([ 3., -3.])
    """


@elementwise("(-{x})", ufunc=np.negative, onnx="Neg", complex=True, vjp=(lambda g, y, x: -g,))
def negative(x: ArrayLike) -> Tensor:
    """`-x`, element by element, in the shape and dtype of `x`.

    Raises `TypeError` for booleans: `logical_not` inverts them.

    >>> import graphnet as gn
    >>> gn.negative([1.0, -2.0])
    Tensor([-1.,  2.])
    """


@elementwise("{x}", ufunc=np.positive, onnx="Identity", complex=True, vjp=(lambda g, y, x: g,), same=True, view="{x}")
def positive(x: ArrayLike) -> Tensor:
    """`+x`: the same elements, shape and dtype, as a new node of the graph.

    Raises `TypeError` for booleans.

    >>> import graphnet as gn
    >>> gn.positive([1.0, -2.0])
    Tensor([ 1., -2.])
    """


@elementwise("{x}", ufunc=np.conjugate, complex=True, vjp=(lambda g, y, x: conjugate(g),))
def conjugate(x: ArrayLike) -> Tensor:
    """The complex conjugate, element by element; real numbers stay as they are.

    Shape and dtype are those of `x`.

    >>> import graphnet as gn
    >>> gn.conjugate([1 + 2j, 3.0])
    Tensor([1.-2.j, 3.-0.j], dtype=complex128)
    """


@elementwise(
    "abs({x})",
    ufunc=np.absolute,
    onnx="Abs",
    complex=True,
    vjp=(lambda g, y, x: over(times(g, conjugate(x)), y) if x.dtype.kind == "c" else g * sign(x),),
    kink=("x is 0: slope 0", lambda y, x: np.equal(x, 0)),
)
def absolute(x: ArrayLike) -> Tensor:
    """The absolute value `|x|`, element by element.

    The shape is that of `x`; the dtype too, except that complex numbers give real ones. The derivative is the sign, and
    0 at 0, also for complex numbers.

    >>> import graphnet as gn
    >>> gn.absolute([-2.0, 0.0, 3.0]), gn.grad(gn.absolute)(0.0)
    (Tensor([2., 0., 3.]), Tensor(0.))
    """


@elementwise(ufunc=np.copysign, vjp=(lambda g, y, a, b: g * sign(a) * copysign(1.0, b), None))
def copysign(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`|a|` with the sign of `b`, element by element; -0.0 counts as negative.

    Inputs broadcast; the result is a floating-point number of the promoted dtype. The derivative for `a` is 1 or -1,
    and 0 where `a` is 0; `b` has no derivative.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.copysign([1.0, 2.0], [-0.0, 5.0])
    Tensor([-1.,  2.])
    """


@elementwise("sign({x})", onnx="Sign", may_raise=False, vjp=(None,))
def sign(x: ArrayLike) -> Tensor:
    """-1, 0 or 1, element by element: the sign of each number, NaN for NaN. Its derivative is 0.

    Shape and dtype are those of `x`.

    Raises `TypeError` for complex numbers: write `x / gn.abs(x)`, which has a derivative.

    >>> import graphnet as gn
    >>> gn.sign([-2.5, 0.0, 4.0])
    Tensor([-1.,  0.,  1.])
    """
    if x.dtype.kind == "c":
        # That of complex numbers, x / |x|, has a slope.
        raise TypeError("the sign of complex numbers is written x / gn.abs(x)")
    return np.sign(x)


# Of real numbers, which plans calculate with.
sign.op.ufunc = np.sign


@elementwise(
    "(1 / {x})", ufunc=np.reciprocal, onnx="Reciprocal", complex=True, vjp=(lambda g, y, x: over(times(g, -y), x),)
)
def reciprocal(x: ArrayLike) -> Tensor:
    """`1 / x`, element by element, in the shape and dtype of `x`.

    An infinity at 0. In whole numbers the fraction is cut off: write `1 / x` for a floating-point result.

    >>> import graphnet as gn
    >>> gn.reciprocal([2.0, 4.0])
    Tensor([0.5 , 0.25])
    """


abs = absolute
