"""Ops that reduce over axes, and `cumsum`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphnet import shapes
from graphnet.declare import op, reduction
from graphnet.node import Tensor
from graphnet.ops.arithmetic import SQUARED, times
from graphnet.ops.arranging import flip
from graphnet.ops.choices import never_zero, where
from graphnet.ops.comparisons import equal, isinf
from graphnet.ops.exponentials import exp
from graphnet.ops.joining import concatenate, stack
from graphnet.ops.shaping import reshape, stop_gradient, transpose
from graphnet.record import pair
from graphnet.shapes import Axes
from graphnet.typed import ArrayLike


def count(x: Any, axis: Any) -> Any:
    """The number of elements that are reduced into one."""
    return math.prod(x.shape[a] for a in axis)


@reduction(onnx="ReduceSum", complex=True, vjp=lambda g, y, x, axis: g, fold=np.add)
def sum(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The sum over `axis`: one axis, several, or all if None; 0 over nothing.

    With `keepdims` these axes stay, of size one. The dtype is that of `x`; of booleans and whole numbers narrower than
    64 bits it is int64, of unsigned ones uint64. float16 is added up in float32. The gradient of each element is that
    of its sum.

    Raises `IndexError` for an axis that `x` does not have, `ValueError` for one that is named twice.

    >>> import graphnet as gn
    >>> gn.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    Tensor([4., 6.])
    """
    if x.dtype == np.float16:
        return np.sum(x, axis=axis, keepdims=keepdims, dtype=np.float32).astype(np.float16)
    return np.sum(x, axis=axis, keepdims=keepdims)


@reduction(onnx="ReduceMean", complex=True, vjp=lambda g, y, x, axis: g / count(x, axis), fold=np.add)
def mean(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The arithmetic mean over `axis`, `sum(x) / n`: one axis, several, or all if None.

    With `keepdims` these axes stay, of size one. The dtype is that of `x`, float64 for booleans and whole numbers. Over
    nothing it is NaN, with NumPy's `RuntimeWarning`.

    Raises `IndexError` for an axis that `x` does not have, `ValueError` for one that is named twice.

    >>> import graphnet as gn
    >>> gn.mean([[1, 2], [3, 4]], axis=1)
    Tensor([1.5, 3.5])
    """
    return np.mean(x, axis=axis, keepdims=keepdims)


def _others(x: Any) -> Any:
    """For each number along the last axis, the product of all the others: no division, so right with zeros too."""
    n = x.shape[-1]
    if n == 1:
        return _ones_like(x)
    left, right = x[..., 0 : n - n % 2 : 2], x[..., 1::2]
    pairs = left * right
    odd = x[..., n - 1 :] if n % 2 else None
    above = _others(concatenate([pairs, odd], axis=-1)) if odd is not None else _others(pairs)
    whole = above[..., : n // 2]
    both = reshape(stack([whole * right, whole * left], axis=-1), (*x.shape[:-1], n - n % 2))
    return concatenate([both, above[..., n // 2 :]], axis=-1) if odd is not None else both


def _ones_like(x: Any) -> Any:
    return np.ones(x.shape, x.dtype)


def _prod_slope(x: Any, axis: Any) -> Any:
    """The derivative of `prod` for each element: the product of the others, in the shape of `x`."""
    if x.size == 0 or not axis:
        return _ones_like(x)
    kept = tuple(i for i in range(x.ndim) if i not in axis)
    order = kept + tuple(axis)
    moved = transpose(x, order)
    flat = reshape(moved, (*tuple(x.shape[i] for i in kept), count(x, axis)))
    others = reshape(_others(flat), moved.shape)
    return transpose(others, tuple(int(i) for i in np.argsort(order)))


@reduction(onnx="ReduceProd", complex=True, vjp=lambda g, y, x, axis: times(g, _prod_slope(x, axis)), fold=np.multiply)
def prod(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The product over `axis`: one axis, several, or all if None; 1 over nothing.

    With `keepdims` these axes stay, of size one. The dtype is that of `x`; of booleans and whole numbers narrower than
    64 bits it is int64, of unsigned ones uint64. The gradient of an element is the product of the others, right with
    any number of zeros.

    Raises `IndexError` for an axis that `x` does not have, `ValueError` for one that is named twice.

    >>> import graphnet as gn
    >>> gn.prod([[1.0, 2.0], [3.0, 4.0]], axis=0)
    Tensor([3., 8.])
    >>> gn.grad(gn.prod)([0.0, 2.0, 3.0])
    Tensor([6., 0., 0.])
    """
    return np.prod(x, axis=axis, keepdims=keepdims)


def _shares(g: Any, y: Any, x: Any, axis: Any) -> Any:
    hits = equal(x, y).astype(g.dtype)
    return times(g, hits / sum(hits, axis=axis, keepdims=True))


_TIES = ("several are equal: they share the gradient", lambda y, x, axis: np.sum(x == y, axis=axis, keepdims=True) > 1)


@reduction(onnx="ReduceMax", vjp=_shares, of_nothing=False, kink=_TIES, fold=np.maximum)
def max(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The largest along `axis`, NaN if one is NaN; equal ones share the gradient. Raises `ValueError` over nothing.

    >>> import graphnet as gn
    >>> gn.grad(gn.max)(gn.tensor([3.0, 3.0, 1.0]))
    Tensor([0.5, 0.5, 0. ])
    """
    return np.max(x, axis=axis, keepdims=keepdims)


@reduction(onnx="ReduceMin", vjp=_shares, of_nothing=False, kink=_TIES, fold=np.minimum)
def min(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The smallest along `axis` (one, several, or all if None), NaN if one is NaN; equal ones share the gradient.

    The dtype is that of `x`. With `keepdims` the axes stay, of size one.

    Raises `ValueError` over nothing and for an axis that is named twice, `IndexError` for one that `x` does not have.

    >>> import graphnet as gn
    >>> gn.min([[1, 5], [7, 2]], axis=1)
    Tensor([1, 2])
    >>> gn.grad(gn.min)([3.0, 1.0, 1.0])
    Tensor([0. , 0.5, 0.5])
    """
    return np.min(x, axis=axis, keepdims=keepdims)


def of_kept(rule: Any) -> Any:
    """A rule for g and y that have the reduced axes at size one, for those that may not."""

    def kept(g: Any, y: Any, x: Any, axis: Any, keepdims: Any, **attrs: Any) -> Any:
        shape = shapes.kept(x.shape, axis)
        return rule(g.reshape(shape), y.reshape(shape), x, axis=axis, **attrs)

    return kept


@reduction(
    onnx="ReduceL2",
    vjp=lambda g, y, x, axis: times(g, x / never_zero(y)),
    kink=("all are 0: slopes 0", lambda y, x, axis: np.equal(y, 0)),
)
def norm2(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """`sqrt(sum(x**2))` over `axis`; all its derivatives where all are 0 are 0."""
    size = np.max(np.abs(x), axis=axis, keepdims=True, initial=0)
    # Scaled, so that squares neither overflow nor vanish.
    scale = np.where((size > 0) & np.isfinite(size), size, np.ones((), size.dtype))
    ratio = x / scale
    y = scale * np.sqrt(np.sum(ratio * ratio, axis=axis, keepdims=True))
    return y if keepdims else np.squeeze(y, axis)


pair(SQUARED, norm2, of_kept(lambda g, y, x, axis: times(g, 2 * x)))


def _weights(x: Any, axis: Any) -> Any:
    """The softmax of `x`; where the largest is infinite, equal shares among those as large."""
    if not x.size:
        return x
    top = stop_gradient(max(x, axis=axis, keepdims=True))
    endless = isinf(top)
    e = exp(where(endless, 0, x) - where(endless, 0, top))
    hits = equal(x, top).astype(x.dtype)
    return where(endless, hits / sum(hits, axis=axis, keepdims=True), e / sum(e, axis=axis, keepdims=True))


@reduction(
    onnx="ReduceLogSumExp",
    vjp=lambda g, y, x, axis: times(g, _weights(x, axis)),
    kink=("the largest is infinite: those as large share the gradient", lambda y, x, axis: np.isinf(y)),
)
def logsumexp(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """`log(sum(exp(x)))` over `axis`, at any size; -inf over nothing. Whole numbers are taken as float64.

    >>> import graphnet as gn
    >>> gn.logsumexp([1000.0, 1000.0]), gn.logsumexp(gn.zeros(0))
    (Tensor(1000.69314718), Tensor(-inf))
    """
    if x.dtype.kind in "biu":
        x = x.astype(np.float64)
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(top), top, np.zeros((), top.dtype))
    with np.errstate(divide="ignore"):
        y = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return y if keepdims else np.squeeze(y, axis)


@reduction(vjp=None, fold=np.logical_or)
def any(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Whether any number along `axis` (one, several, or all if None) is not zero: booleans; False over nothing.

    NaN is not zero. With `keepdims` the axes stay, of size one. Its derivative is 0.

    Raises `IndexError` for an axis that `x` does not have, `ValueError` for one that is named twice.

    >>> import graphnet as gn
    >>> gn.any([[0, 1], [0, 0]], axis=1)
    Tensor([ True, False])
    """
    return np.any(x, axis=axis, keepdims=keepdims)


@reduction(vjp=None, fold=np.logical_and)
def all(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Whether every number along `axis` (one, several, or all if None) is not zero: booleans; True over nothing.

    NaN is not zero. With `keepdims` the axes stay, of size one. Its derivative is 0.

    Raises `IndexError` for an axis that `x` does not have, `ValueError` for one that is named twice.

    >>> import graphnet as gn
    >>> gn.all([[0, 1], [1, 1]], axis=1)
    Tensor([False,  True])
    """
    return np.all(x, axis=axis, keepdims=keepdims)


def _cumsum_axis(x: Any, axis: Any = None) -> Any:
    return {"axis": None if axis is None else shapes.axis_index(axis, len(x.shape))}


def _cumsum_slope(g: Any, y: Any, x: Any, axis: Any) -> Any:
    along = 0 if axis is None else axis
    if g.dtype == np.float16:
        g = g.astype(np.float32)
    back = flip(cumsum(flip(g, axis=along), axis=along), axis=along)
    return reshape(back, x.shape) if axis is None else back


def _cumsum_each(batch: Any, x: Any, axis: Any) -> Any:
    if axis is None:
        x, axis = x.reshape((x.shape[0], shapes.size(x.shape[1:]))), 0
    return cumsum(x, axis=axis + 1)


@op(
    lambda x, axis: (shapes.size(x.shape),) if axis is None else x.shape,
    dtype=lambda x, axis: np.cumsum(np.ones(1, x.dtype)).dtype,
    prepare=_cumsum_axis,
    onnx="CumSum",
    complex=True,
    vjp=(_cumsum_slope,),
    batch=_cumsum_each,
)
def cumsum(x: ArrayLike, axis: int | None = None) -> Tensor:
    """The running sum along `axis` (of the flat array if None): `y[i] = x[0] + ... + x[i]`.

    The shape is that of `x`, or `(x.size,)` if `axis` is None. The dtype is that of `x`; of booleans and whole numbers
    narrower than 64 bits it is int64, of unsigned ones uint64.

    Raises `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.cumsum([[1, 2], [3, 4]]), gn.cumsum([[1, 2], [3, 4]], axis=1)
    (Tensor([ 1,  3,  6, 10]), Tensor([[1, 3],
            [3, 7]]))
    """
    return np.cumsum(x, axis=axis)


amax, amin = max, min
