"""Elements that are selected: by integers along an axis, on a diagonal, in rising order; positions of extremes."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from graphnet import shapes
from graphnet.apply import as_tensor, holds_tensors
from graphnet.declare import op
from graphnet.naming import naming
from graphnet.node import Tensor, as_array, constant
from graphnet.ops.arithmetic import remainder
from graphnet.ops.choices import clip
from graphnet.ops.comparisons import equal
from graphnet.ops.index import add_at, getitem
from graphnet.ops.rows import whole_numbers
from graphnet.ops.shaping import astype, axes_of, expand_dims, moveaxis, ravel
from graphnet.shapes import DTypeLike
from graphnet.typed import ArrayLike


@naming
def take(x: ArrayLike, indices: ArrayLike, axis: int | None = None, mode: str = "raise") -> Tensor:
    """The elements of `x` at `indices` along `axis` (of the flat array if None): `x[:, indices]` for axis 1.

    An index out of range raises `IndexError` in mode "raise", counts round and round in mode "wrap", and is the nearest
    one in range in mode "clip" (where -1 is 0, as in NumPy).

    >>> import graphnet as gn
    >>> gn.take([10.0, 20.0, 30.0], [1, 4], mode="wrap")
    Tensor([20., 20.])
    """
    x = as_tensor(x)
    if axis is None:
        x, axis = ravel(x), 0
    (axis,) = axes_of("take", x, axis)
    places = as_tensor(indices) if holds_tensors((indices,)) else as_array(indices)
    if places.size == 0 and not isinstance(places, Tensor):
        places = places.astype(np.int64)
    if places.dtype.kind not in "iu":
        raise TypeError(f"take: indices are integers; received {places.dtype}")
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f"take: mode is 'raise', 'wrap' or 'clip'; received {mode!r}")
    if mode != "raise" and places.size:
        if x.shape[axis] == 0:
            raise IndexError(f"take: there is nothing to take along axis {axis} of shape {x.shape}")
        places = remainder(places, x.shape[axis]) if mode == "wrap" else clip(places, 0, x.shape[axis] - 1)
    return getitem(x, (slice(None),) * axis + (places,))


@naming
def take_along_axis(x: ArrayLike, indices: ArrayLike, axis: int = -1) -> Tensor:
    """One element of `x` per entry of `indices` along `axis`: `y[i, j] = x[i, indices[i, j]]` for a matrix and its last
    axis.

    What `argsort` gives fits in here, and what `argmax` gives with `keepdims`. The other axes broadcast; negative
    indices count from the end. With `axis` None both are flattened. The dtype is that of `x`.

    Raises `TypeError` for indices that are not integers, `ValueError` for another number of axes than `x` has,
    `IndexError` for an index out of range, for sizes that do not broadcast, and for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.take_along_axis([[1, 5], [7, 2]], [[1], [0]])
    Tensor([[5],
            [7]])
    """
    x = as_tensor(x)
    indices = as_tensor(indices) if holds_tensors((indices,)) else as_array(indices)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"take_along_axis: indices are integers; received {indices.dtype}")
    if axis is None:
        x, axis = ravel(x), 0
        indices = ravel(indices)
    (axis,) = axes_of("take_along_axis", x, axis)
    if len(indices.shape) != x.ndim:
        raise ValueError(
            f"take_along_axis: x has {x.ndim} dimensions, indices {len(indices.shape)}: they must be the same"
        )
    grid: list[Any] = [
        np.arange(n).reshape((1,) * a + (n,) + (1,) * (x.ndim - a - 1)) if a != axis else indices
        for a, n in enumerate(x.shape)
    ]
    return getitem(x, tuple(grid))


@naming
def one_hot(indices: ArrayLike, num_classes: int, dtype: DTypeLike = np.float32) -> Tensor:
    """A new last axis of `num_classes` numbers: 1 at the index, 0 elsewhere (all 0 for an index out of range).

    Indices are whole numbers, also in a floating-point dtype. Raises `ValueError` for one that is not whole.

    >>> import graphnet as gn
    >>> gn.one_hot([0, 2], 3)
    Tensor([[1., 0., 0.],
            [0., 0., 1.]], dtype=float32)
    """
    indices = as_tensor(indices)
    if indices.dtype.kind == "f":
        indices = whole_numbers(indices, "one_hot")
    return astype(equal(expand_dims(indices, -1), np.arange(operator.index(num_classes))), dtype)


@naming
def diagonal(x: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonal `offset` of the matrices along `axis1` and `axis2`, as the last axis of the result.

    These two axes are gone, the others stay. A positive offset is above the main diagonal, a negative one below. The
    dtype is that of `x`.

    Raises `ValueError` for fewer than two axes, or for the same one twice; `IndexError` for an axis that `x` does not
    have.

    >>> import graphnet as gn
    >>> gn.diagonal([[1, 2, 3], [4, 5, 6]]), gn.diagonal([[1, 2, 3], [4, 5, 6]], offset=-1)
    (Tensor([1, 5]), Tensor([4]))
    """
    x = as_tensor(x)
    if x.ndim < 2:
        raise ValueError(f"diagonal: at least two dimensions; received shape {x.shape}")
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    rows, columns = x.shape[-2:]
    count = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    steps = np.arange(count)
    return getitem(x, (Ellipsis, steps - min(offset, 0), steps + max(offset, 0)))


@naming
def diag(x: ArrayLike, k: int = 0) -> Tensor:
    """Diagonal `k` of a matrix, or the matrix with a vector on diagonal `k` and zeros elsewhere.

    A vector of `n` gives shape `(n + |k|, n + |k|)`. The dtype is that of `x`.

    Raises `ValueError` unless `x` has one axis or two.

    >>> import graphnet as gn
    >>> gn.diag([1, 2], k=1)
    Tensor([[0, 1, 0],
            [0, 0, 2],
            [0, 0, 0]])
    >>> gn.diag([[1, 2], [3, 4]])
    Tensor([1, 4])
    """
    x = as_tensor(x)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ValueError(f"diag: a vector or a matrix; received shape {x.shape}")
    n = x.shape[0] + abs(k)
    steps = np.arange(x.shape[0])
    return add_at(constant(np.zeros((n, n), x.dtype)), (steps - min(k, 0), steps + max(k, 0)), x)


@op(
    lambda x, axis: x.shape,
    dtype=np.int64,
    vjp=(None,),
    prepare=lambda x, axis=-1: {"axis": shapes.axis_index(axis, len(x.shape))},
    batch=lambda batch, x, axis: _argsort(x, axis=axis + 1),
    name="argsort",
)
def _argsort(x: Any, axis: Any = -1) -> Any:
    """The positions that sort `x` along `axis`, equal ones in their order."""
    return np.argsort(x, axis=axis, kind="stable")


@naming
def argsort(x: ArrayLike, axis: int = -1) -> Tensor:
    """The positions that sort `x` along `axis` (of the flat array if None), equal ones in their order.

    >>> import graphnet as gn
    >>> gn.argsort([3.0, 1.0, 2.0])
    Tensor([1, 2, 0])
    """
    return _argsort(ravel(x), axis=0) if axis is None else _argsort(x, axis=axis)


@naming
def sort(x: ArrayLike, axis: int = -1) -> Tensor:
    """`x` in rising order along `axis` (of the flat array if None), NaN last. Shape and dtype stay.

    The gradient of each element goes back to where it was.

    Raises `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.sort([3.0, 1.0, 2.0])
    Tensor([1., 2., 3.])
    >>> gn.grad(lambda x: gn.sort(x)[0])([3.0, 1.0, 2.0])
    Tensor([0., 1., 0.])
    """
    x = as_tensor(x)
    if axis is None:
        x, axis = ravel(x), 0
    order = argsort(x, axis=axis)
    return take_along_axis(x, order, axis)


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
