"""Elementwise arithmetic and comparison, and the two products that gradient rules are written with.

`times(g, d)` and `over(g, d)` are `g * d` and `g / d`, but 0 wherever `g` is 0, even if `d` is infinite or NaN: a
gradient that is zero stays zero on its way through a branch that was not taken. An infinite `g` times 0 is 0 too:
where the outer derivative of a chain is infinite and the inner one 0, 0 is a slope of the whole.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphnet.apply import apply
from graphnet.declare import elementwise
from graphnet.mode import state
from graphnet.node import KINDS, Tensor
from graphnet.record import OPS, Op, pair
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


def _base(a: Any, b: Any) -> Any:
    """What is raised to the power 2, or 1/2."""
    if b.__class__ in KINDS:
        known = b.__class__ is Tensor and b.op is None and b._value.__class__ is np.ndarray
        b = b._value if known and b._value.ndim == 0 else None
    return None if b is None else (a, SQUARED) if b == 2 else (a, ROOTS) if b == 0.5 else None


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


def _log(x: Any) -> Any:
    # Declared in another module, which imports this one. Of small whole numbers NumPy's is in half precision.
    return apply(OPS["log"], (x * 1.0 if x.dtype.kind in "biu" else x,))


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


def _absolute_slope(g: Any, y: Any, x: Any) -> Any:
    return over(times(g, conjugate(x)), y) if x.dtype.kind == "c" else g * sign(x)


@elementwise(
    "abs({x})",
    ufunc=np.absolute,
    onnx="Abs",
    complex=True,
    vjp=(_absolute_slope,),
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


@elementwise("({a} == {b})", ufunc=np.equal, onnx="Equal", vjp=(None, None), commutes="bits", kinds="biuf")
def equal(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`a == b`, element by element, as booleans. Nothing equals NaN.

    Inputs broadcast. No gradient flows through it.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.equal([1.0, 2.0], 2)
    Tensor([False,  True])
    """


@elementwise("({a} != {b})", ufunc=np.not_equal, vjp=(None, None), commutes="bits", kinds="biuf")
def not_equal(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`a != b`, element by element, as booleans. NaN differs from everything, itself included.

    Inputs broadcast. No gradient flows through it.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.not_equal([1.0, 2.0], 2)
    Tensor([ True, False])
    """


@elementwise("({a} < {b})", ufunc=np.less, onnx="Less", vjp=(None, None))
def less(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`a < b`, element by element, as booleans; False where one is NaN.

    Inputs broadcast. No gradient flows through it.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.less([1.0, 2.0, 3.0], 2)
    Tensor([ True, False, False])
    """


@elementwise("({a} <= {b})", ufunc=np.less_equal, onnx="LessOrEqual", vjp=(None, None))
def less_equal(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`a <= b`, element by element, as booleans; False where one is NaN.

    Inputs broadcast. No gradient flows through it.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.less_equal([1.0, 2.0, 3.0], 2)
    Tensor([ True,  True, False])
    """


@elementwise("({a} > {b})", ufunc=np.greater, onnx="Greater", vjp=(None, None))
def greater(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`a > b`, element by element, as booleans; False where one is NaN.

    Inputs broadcast. No gradient flows through it.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.greater([1.0, 2.0, 3.0], 2)
    Tensor([False, False,  True])
    """


@elementwise("({a} >= {b})", ufunc=np.greater_equal, onnx="GreaterOrEqual", vjp=(None, None))
def greater_equal(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`a >= b`, element by element, as booleans; False where one is NaN.

    Inputs broadcast. No gradient flows through it.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.greater_equal([1.0, 2.0, 3.0], 2)
    Tensor([False,  True,  True])
    """


@elementwise(
    "({a} and {b})", ufunc=np.logical_and, onnx="And", vjp=(None, None), commutes="bits", truth=("a", "b"), kinds="biuf"
)
def logical_and(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`a and b`, element by element, as booleans: whether neither is zero. NaN is not zero.

    Inputs of any dtype broadcast; of booleans it is the operator `&`. No gradient flows through it.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.logical_and([True, True, False], [1.0, 0.0, 2.0])
    Tensor([ True, False, False])
    """


@elementwise(
    "({a} or {b})", ufunc=np.logical_or, onnx="Or", vjp=(None, None), commutes="bits", truth=("a", "b"), kinds="biuf"
)
def logical_or(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`a or b`, element by element, as booleans: whether one is not zero. NaN is not zero.

    Inputs of any dtype broadcast; of booleans it is the operator `|`. No gradient flows through it.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.logical_or([True, False, False], [0.0, 0.0, 2.0])
    Tensor([ True, False,  True])
    """


@elementwise(
    "({a} != {b})", ufunc=np.logical_xor, onnx="Xor", vjp=(None, None), commutes="bits", truth=("a", "b"), kinds="biuf"
)
def logical_xor(a: ArrayLike, b: ArrayLike) -> Tensor:
    """`bool(a) != bool(b)`, element by element, as booleans: whether exactly one is not zero.

    Inputs of any dtype broadcast; of booleans it is the operator `^`. No gradient flows through it.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.logical_xor([True, True, False], [1.0, 0.0, 2.0])
    Tensor([False,  True,  True])
    """


@elementwise("(not {x})", ufunc=np.logical_not, onnx="Not", vjp=(None,), truth=("x",), kinds="biuf")
def logical_not(x: ArrayLike) -> Tensor:
    """`x == 0`, element by element, as booleans in the shape of `x`; of booleans it is the operator `~`.

    No gradient flows through it.

    >>> import graphnet as gn
    >>> gn.logical_not([0.0, 2.0])
    Tensor([ True, False])
    """


@elementwise("isnan({x})", ufunc=np.isnan, onnx="IsNaN", vjp=(None,), kinds="f")
def isnan(x: ArrayLike) -> Tensor:
    """Whether each element is NaN.

    Booleans in the shape of `x`; no gradient flows through it.

    >>> import graphnet as gn
    >>> gn.isnan([1.0, float("nan")])
    Tensor([False,  True])
    """


@elementwise("isinf({x})", ufunc=np.isinf, onnx="IsInf", vjp=(None,), kinds="f")
def isinf(x: ArrayLike) -> Tensor:
    """Whether each element is an infinity of either sign.

    Booleans in the shape of `x`; no gradient flows through it.

    >>> import graphnet as gn
    >>> gn.isinf([1.0, float("-inf")])
    Tensor([False,  True])
    """


@elementwise("isfinite({x})", ufunc=np.isfinite, vjp=(None,), kinds="f")
def isfinite(x: ArrayLike) -> Tensor:
    """Whether each element is neither NaN nor an infinity.

    Booleans in the shape of `x`; no gradient flows through it.

    >>> import graphnet as gn
    >>> gn.isfinite([1.0, float("nan"), float("inf")])
    Tensor([ True, False, False])
    """


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


_EQUAL = ("both are equal: half of the gradient each", lambda y, a, b: np.equal(a, b))


def _to_winner(g: Any, a: Any, b: Any, wins: Any) -> Any:
    """`g` where `a` was chosen over `b`, half of it where they are equal, 0 elsewhere."""
    return where(equal(a, b), g * 0.5, where(wins, g, 0))


@elementwise(
    "minimum({a}, {b})",
    ufunc=np.minimum,
    onnx="Min",
    vjp=(
        lambda g, y, a, b: _to_winner(g, a, b, logical_or(less(a, b), isnan(a))),
        lambda g, y, a, b: _to_winner(g, b, a, logical_or(less(b, a), isnan(b))),
    ),
    kink=_EQUAL,
    commutes="value",
)
def minimum(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The smaller of `a` and `b`, element by element; NaN if one of them is NaN.

    Inputs broadcast; the dtype is the promoted one. The gradient goes to the smaller one, half of it to each of two
    equal ones. `fmin` ignores NaN.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.minimum([1.0, 5.0], 3.0), gn.grad(lambda x: gn.minimum(x, 3.0))(3.0)
    (Tensor([1., 3.]), Tensor(0.5))
    """


@elementwise(
    "maximum({a}, {b})",
    ufunc=np.maximum,
    onnx="Max",
    vjp=(
        lambda g, y, a, b: _to_winner(g, a, b, logical_or(greater(a, b), isnan(a))),
        lambda g, y, a, b: _to_winner(g, b, a, logical_or(greater(b, a), isnan(b))),
    ),
    kink=_EQUAL,
    commutes="value",
)
def maximum(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The larger of `a` and `b`, element by element; NaN if one of them is NaN.

    Inputs broadcast; the dtype is the promoted one. The gradient goes to the larger one, half of it to each of two
    equal ones. `fmax` ignores NaN.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.maximum([1.0, 5.0], 3.0), gn.grad(lambda x: gn.maximum(x, 3.0))(3.0)
    (Tensor([3., 5.]), Tensor(0.5))
    """


@elementwise(
    "fmin({a}, {b})",
    ufunc=np.fmin,
    vjp=(
        lambda g, y, a, b: _to_winner(g, a, b, logical_or(less(a, b), isnan(b))),
        lambda g, y, a, b: _to_winner(g, b, a, logical_or(less(b, a), isnan(a))),
    ),
    kink=_EQUAL,
    commutes="value",
)
def fmin(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The smaller of `a` and `b`, element by element; where one is NaN, the other one.

    Inputs broadcast; the dtype is the promoted one. The gradient goes to the one that is the result, half of it to each
    of two equal ones.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.fmin([1.0, float("nan")], 3.0)
    Tensor([1., 3.])
    """


@elementwise(
    "fmax({a}, {b})",
    ufunc=np.fmax,
    vjp=(
        lambda g, y, a, b: _to_winner(g, a, b, logical_or(greater(a, b), isnan(b))),
        lambda g, y, a, b: _to_winner(g, b, a, logical_or(greater(b, a), isnan(a))),
    ),
    kink=_EQUAL,
    commutes="value",
)
def fmax(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The larger of `a` and `b`, element by element; where one is NaN, the other one.

    Inputs broadcast; the dtype is the promoted one. The gradient goes to the one that is the result, half of it to each
    of two equal ones.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.fmax([1.0, float("nan")], 3.0)
    Tensor([3., 3.])
    """


@elementwise(
    "({x} if {condition} else {y})",
    onnx="Where",
    complex=True,
    vjp=(
        None,
        lambda g, z, condition, x, y: where(condition, g, 0),
        lambda g, z, condition, x, y: where(condition, 0, g),
    ),
    truth=("condition",),
    kinds="biuf",
)
def where(condition: ArrayLike, x: ArrayLike, y: ArrayLike) -> Tensor:
    """`x` where `condition` is not zero, else `y`, element by element.

    All three broadcast; the dtype is that of `x` and `y` promoted. The gradient goes to the branch that was taken; the
    other one has a gradient of 0 even where its value or derivative is infinite or NaN.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.where([True, False], [1.0, 2.0], 0.0)
    Tensor([1., 0.])
    >>> gn.grad(lambda x: gn.where(x > 0, gn.sqrt(x), 0 * x))(0.0)
    Tensor(0.)
    """
    if x.__class__ is int or y.__class__ is int:
        # NumPy would wrap a number that the dtype does not hold.
        dtype = np.result_type(x, y)
        x, y = np.asarray(x, dtype), np.asarray(y, dtype)
    return np.where(condition, x, y)


@elementwise(
    "minimum(maximum({x}, {low}), {high})",
    onnx="Clip",
    vjp=(
        lambda g, y, x, low, high: where(logical_or(less(x, low), greater(x, high)), 0, g),
        lambda g, y, x, low, high: where(logical_and(less(x, low), less_equal(low, high)), g, 0),
        lambda g, y, x, low, high: where(logical_or(greater(x, high), greater(low, high)), g, 0),
    ),
    kink=("x is a bound: slope 1", lambda y, x, low, high: np.equal(x, low) | np.equal(x, high)),
)
def clip_to(x: ArrayLike, low: ArrayLike, high: ArrayLike) -> Tensor:
    """`x` limited to the closed interval from `low` to `high`: what `clip` does with both bounds given."""
    return np.clip(x, low, high)


@elementwise(
    "maximum({x}, {low})",
    ufunc=np.maximum,
    vjp=(lambda g, y, x, low: where(less(x, low), 0, g), lambda g, y, x, low: where(less(x, low), g, 0)),
    kink=("x is the bound: slope 1", lambda y, x, low: np.equal(x, low)),
)
def clip_low(x: ArrayLike, low: ArrayLike) -> Tensor:
    """`x`, but not below `low`; the derivative for `x` is 1 at the bound."""


@elementwise(
    "minimum({x}, {high})",
    ufunc=np.minimum,
    vjp=(lambda g, y, x, high: where(greater(x, high), 0, g), lambda g, y, x, high: where(greater(x, high), g, 0)),
    kink=("x is the bound: slope 1", lambda y, x, high: np.equal(x, high)),
)
def clip_high(x: ArrayLike, high: ArrayLike) -> Tensor:
    """`x`, but not above `high`; the derivative for `x` is 1 at the bound."""


def clip(x: ArrayLike, a_min: ArrayLike | None = None, a_max: ArrayLike | None = None) -> Tensor:
    """`min(max(x, a_min), a_max)`, element by element; a bound of None is none.

    Where `a_min` is above `a_max`, the result is `a_max`. Bounds broadcast with `x`; the dtype is the promoted one; for
    whole numbers, a Python integer below (or above) all of the dtype is no lower (upper) bound, as in NumPy. The
    derivative for `x` is 1 inside the closed interval and 0 outside; where a bound is the result and not equal to `x`,
    the bound has the gradient.

    Raises `ValueError` for shapes that do not broadcast.

    >>> import graphnet as gn
    >>> gn.clip([-1.0, 0.5, 2.0], 0.0, 1.0)
    Tensor([0. , 0.5, 1. ])
    >>> gn.elementwise_grad(lambda x: gn.clip(x, 0.0, 1.0))([-1.0, 0.0, 0.5, 1.0, 2.0])
    Tensor([0., 1., 1., 1., 0.])
    """
    dtype = getattr(x, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "iu":
        # A whole number beyond the dtype is no bound, as in NumPy.
        info = np.iinfo(dtype)
        a_min = None if type(a_min) is int and a_min <= info.min else a_min
        a_max = None if type(a_max) is int and a_max >= info.max else a_max
    if a_max is None:
        return positive(x) if a_min is None else clip_low(x, a_min)
    if a_min is None:
        return clip_high(x, a_max)
    return clip_to(x, a_min, a_max)


abs = absolute
