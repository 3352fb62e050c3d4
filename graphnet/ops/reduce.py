"""Ops that reduce over axes, and `cumsum`."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from graphnet import shapes
from graphnet.declare import op, reduction
from graphnet.node import KINDS, Tensor
from graphnet.ops.elementwise import ROOTS, SQUARED, equal, isinf, sqrt, times, where
from graphnet.ops.transcendental import exp
from graphnet.record import OPS, pair
from graphnet.shapes import Axes
from graphnet.typed import ArrayLike


def _count(x: Any, axis: Any) -> Any:
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


@reduction(onnx="ReduceMean", complex=True, vjp=lambda g, y, x, axis: g / _count(x, axis), fold=np.add)
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


def stop_gradient(x: Any) -> Any:
    return OPS["stop_gradient"].function(x)  # type: ignore[misc]


def _others(x: Any) -> Any:
    """For each number along the last axis, the product of all the others: no division, so right with zeros too."""
    n = x.shape[-1]
    if n == 1:
        return _ones_like(x)
    left, right = x[..., 0 : n - n % 2 : 2], x[..., 1::2]
    pairs = left * right
    odd = x[..., n - 1 :] if n % 2 else None
    above = _others(_joined(pairs, odd)) if odd is not None else _others(pairs)
    whole = above[..., : n // 2]
    from graphnet.ops.shaping import reshape, stack

    both = reshape(stack([whole * right, whole * left], axis=-1), (*x.shape[:-1], n - n % 2))
    return _joined(both, above[..., n // 2 :]) if odd is not None else both


def _ones_like(x: Any) -> Any:
    return np.ones(x.shape, x.dtype)


def _joined(a: Any, b: Any) -> Any:
    from graphnet.ops.shaping import concatenate

    return concatenate([a, b], axis=-1)


def _prod_slope(x: Any, axis: Any) -> Any:
    """The derivative of `prod` for each element: the product of the others, in the shape of `x`."""
    from graphnet.ops.shaping import reshape, transpose

    if x.size == 0 or not axis:
        return _ones_like(x)
    kept = tuple(i for i in range(x.ndim) if i not in axis)
    order = kept + tuple(axis)
    moved = transpose(x, order)
    flat = reshape(moved, (*tuple(x.shape[i] for i in kept), _count(x, axis)))
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


#: where a deviation is less than this part of the mean, the rounding of the mean is felt
_NEAR = 1e-3


def exact_mean(x: Any, axis: Any) -> Any:
    """Whether the mean of what is left of equal numbers without their mean, a few units each, is found exactly."""
    return _count(x, axis) <= (1 << 12 if x.dtype.itemsize < 8 else 1 << 24)


def _mean_of(x: Any, axis: Any) -> Any:
    return np.add.reduce(x, axis, None, None, True) / _count(x, axis)  # type: ignore[call-overload]


def _deviations(x: Any, axis: Any, m: Any) -> Any:
    """`x - m` without the rounding of the mean `m`: exactly 0 where all are equal, and right where they nearly are."""
    if not exact_mean(x, axis):
        top = np.maximum.reduce(x, axis, None, None, True)  # type: ignore[call-overload]
        m = np.where(top == np.minimum.reduce(x, axis, None, None, True), top, m)  # type: ignore[call-overload]
    d = x - m
    # What is left of the mean is the rounding of the first one.
    return d - _mean_of(d, axis)


def _away(x: Any, y: Any, axis: Any) -> Any:
    """`_deviations` in tensor ops, and on bare arrays with deviation `y`."""
    if x.__class__ not in KINDS:
        if x.dtype == np.float16:
            x = x.astype(np.float32)
        m = _mean_of(x, axis)
        return x - m if (y > _NEAR * np.abs(m)).all() else _deviations(x, axis, m)
    m = mean(x, axis=axis, keepdims=True)
    if not exact_mean(x, axis):
        top = max(x, axis=axis, keepdims=True)
        same = equal(top, min(x, axis=axis, keepdims=True))
        m = m + stop_gradient(where(same, top - m, 0))
    d = x - m
    return d - mean(d, axis=axis, keepdims=True)


def _never_zero(y: Any) -> Any:
    """`y`, and infinity where it is 0: what is divided by it is 0 there, in every order of derivatives."""
    return where(equal(y, 0), math.inf, y)


def _var_slope(g: Any, y: Any, x: Any, axis: Any, ddof: Any) -> Any:
    return times(g, (x - mean(x, axis=axis, keepdims=True)) * (2 / _free(x, axis, ddof)))


def _std_slope(g: Any, y: Any, x: Any, axis: Any, ddof: Any) -> Any:
    return times(g, _away(x, y, axis) / (_never_zero(y) * _free(x, axis, ddof)))


def _of_kept(rule: Any) -> Any:
    """A rule for g and y that have the reduced axes at size one, for those that may not."""

    def kept(g: Any, y: Any, x: Any, axis: Any, keepdims: Any, **attrs: Any) -> Any:
        shape = shapes.kept(x.shape, axis)
        return rule(g.reshape(shape), y.reshape(shape), x, axis=axis, **attrs)

    return kept


@reduction(vjp=_var_slope)
def var(x: ArrayLike, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """The variance over `axis`, `sum((x - mean)**2) / (n - ddof)`: one axis, several, or all if None.

    With `keepdims` these axes stay, of size one. The dtype is that of `x`, float64 for booleans and whole numbers; of
    complex numbers it is real. Where `n` is not above `ddof` it divides by 0: NaN or infinity, with NumPy's
    `RuntimeWarning`.

    Raises `IndexError` for an axis that `x` does not have, `ValueError` for one that is named twice.

    >>> import graphnet as gn
    >>> gn.var([1.0, 2.0, 3.0, 6.0]), gn.var([1.0, 2.0, 3.0, 6.0], ddof=2)
    (Tensor(3.5), Tensor(7.))
    """
    return np.var(x, axis=axis, keepdims=keepdims, ddof=ddof)


@reduction(
    vjp=_std_slope, kink=("all are equal: slopes 0", lambda y, x, axis, ddof: np.equal(y, 0) & (_count(x, axis) > 1))
)
def std(x: ArrayLike, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """Standard deviation over `axis`, with a divisor of `n - ddof`.

    All derivatives of a constant's are 0: there is a corner. (The square of it is the variance, which is smooth.)

    >>> import graphnet as gn
    >>> gn.grad(gn.std)([0.1, 0.1, 0.1])
    Tensor([0., 0., 0.])
    """
    if x.dtype.kind == "c":
        return np.std(x, axis=axis, keepdims=keepdims, ddof=ddof)
    narrow = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    wide = np.asarray(x, np.promote_types(narrow, np.float32))
    axes = shapes.axes_indices(axis, wide.ndim)
    free = builtins.max(_count(wide, axes) - ddof, 0)
    m = _mean_of(wide, axes)
    d = wide - m
    y = np.sqrt(np.add.reduce(d * d, axes, None, None, True) / free)  # type: ignore[call-overload]
    if (y <= _NEAR * np.abs(m)).any():
        d = _deviations(wide, axes, m)
        y = np.sqrt(np.add.reduce(d * d, axes, None, None, True) / free)  # type: ignore[call-overload]
    y = y.astype(narrow, copy=False)
    return y if keepdims else np.reshape(y, shapes.reduced(wide.shape, axes, False))


pair(SQUARED, std, _of_kept(_var_slope))
pair(ROOTS, var, _of_kept(lambda g, y, x, axis, ddof: _std_slope(g, sqrt(y), x, axis, ddof)))


def _free(x: Any, axis: Any, ddof: Any) -> Any:
    n = _count(x, axis) - ddof
    return n if n > 0 else math.nan


@reduction(
    onnx="ReduceL2",
    vjp=lambda g, y, x, axis: times(g, x / _never_zero(y)),
    kink=("all are 0: slopes 0", lambda y, x, axis: np.equal(y, 0)),
)
def norm2(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """`sqrt(sum(x**2))` over `axis`; all its derivatives where all are 0 are 0."""
    size = np.max(np.abs(x), axis=axis, keepdims=True, initial=0)
    # Scaled, so that squares neither overflow nor vanish.
    scale = np.where((size > 0) & np.isfinite(size), size, np.ones((), size.dtype))
    ratio = x / scale
    y = scale * np.sqrt(np.sum(ratio * ratio, axis=axis, keepdims=True))
    return y if keepdims else np.reshape(y, shapes.reduced(np.shape(x), shapes.axes_indices(axis, np.ndim(x)), False))


pair(SQUARED, norm2, _of_kept(lambda g, y, x, axis: times(g, 2 * x)))


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
    return y if keepdims else np.reshape(y, shapes.reduced(np.shape(x), shapes.axes_indices(axis, np.ndim(x)), False))


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


def _one_axis(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    if axis is not None:
        axis = shapes.axis_index(axis, len(x.shape))
    if shapes.size(x.shape if axis is None else x.shape[axis : axis + 1]) == 0:
        raise ValueError("the position of the extreme of no numbers is not defined")
    return {"axis": axis, "keepdims": bool(keepdims)}


def _one_axis_shape(x: Any, axis: Any, keepdims: Any) -> Any:
    axes = tuple(range(len(x.shape))) if axis is None else (axis,)
    return shapes.reduced(x.shape, axes, keepdims)


def _position_each(f: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    if axis is not None:
        return f(x, axis + 1, keepdims)
    places = f(x.reshape((x.shape[0], shapes.size(x.shape[1:]))), 1)
    return places.reshape((x.shape[0], *(1,) * (x.ndim - 1))) if keepdims else places


@op(
    _one_axis_shape,
    dtype=np.int64,
    prepare=_one_axis,
    onnx="ArgMax",
    vjp=(None,),
    fold=np.maximum,
    position=True,
    batch=lambda batch, x, axis, keepdims: _position_each(argmax, x, axis, keepdims),
)
def argmax(x: ArrayLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The position of the largest along `axis` (in the flat array if None), the first of equal ones: int64.

    The first NaN counts as the largest. With `keepdims` the reduced axes stay, of size one: such a result fits
    `take_along_axis`. Its derivative is 0.

    Raises `ValueError` over nothing, `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> x = [[1.0, 5.0], [7.0, 2.0]]
    >>> gn.argmax(x), gn.argmax(x, axis=1)
    (Tensor(2), Tensor([1, 0]))
    """
    return np.argmax(x, axis=axis, keepdims=keepdims)


@op(
    _one_axis_shape,
    dtype=np.int64,
    prepare=_one_axis,
    onnx="ArgMin",
    vjp=(None,),
    fold=np.minimum,
    position=True,
    batch=lambda batch, x, axis, keepdims: _position_each(argmin, x, axis, keepdims),
)
def argmin(x: ArrayLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The position of the smallest along `axis` (in the flat array if None), the first of equal ones: int64.

    The first NaN counts as the smallest. With `keepdims` the reduced axes stay, of size one: such a result fits
    `take_along_axis`. Its derivative is 0.

    Raises `ValueError` over nothing, `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> x = [[1.0, 5.0], [7.0, 2.0]]
    >>> gn.argmin(x), gn.argmin(x, axis=1)
    (Tensor(0), Tensor([0, 1]))
    """
    return np.argmin(x, axis=axis, keepdims=keepdims)


def _cumsum_axis(x: Any, axis: Any = None) -> Any:
    return {"axis": None if axis is None else shapes.axis_index(axis, len(x.shape))}


def _cumsum_slope(g: Any, y: Any, x: Any, axis: Any) -> Any:
    from graphnet.ops.shaping import flip, reshape

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
