"""Comparisons, logic, and what is NaN or infinite: elementwise ops whose results are booleans."""

from __future__ import annotations

import numpy as np

from graphnet.declare import elementwise
from graphnet.node import Tensor
from graphnet.typed import ArrayLike


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
