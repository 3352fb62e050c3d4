"""Products of matrices, vectors and any tensors, and norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet import shapes
from graphnet.apply import as_tensor
from graphnet.composites import composite
from graphnet.declare import op
from graphnet.naming import naming
from graphnet.node import Tensor
from graphnet.ops import reduce
from graphnet.ops.arithmetic import absolute, conjugate, multiply
from graphnet.ops.comparisons import not_equal
from graphnet.ops.powers import power
from graphnet.ops.selecting import diagonal
from graphnet.ops.shaping import astype, ravel, reshape, transpose
from graphnet.shapes import Axes
from graphnet.typed import ArrayLike


def _matmul_shape(a: Any, b: Any) -> Any:
    if not a.shape or not b.shape:
        raise ValueError("an input without axes has no matrix product; multiply works on it")
    rows = a.shape if len(a.shape) > 1 else (1, *a.shape)
    columns = b.shape if len(b.shape) > 1 else (*b.shape, 1)
    full = shapes.gufunc("(m,k),(k,n)->(m,n)", rows, columns)
    if len(b.shape) == 1:
        full = full[:-1]
    if len(a.shape) == 1:
        full = full[:-2] + full[-1:] if len(b.shape) > 1 else full[:-1]
    return full


def _as_matrices(g: Any, a: Any, b: Any) -> Any:
    """The three with axes of size one where a vector had none."""
    if b.ndim == 1:
        g, b = g.reshape((*g.shape, 1)), b.reshape((*b.shape, 1))
    if a.ndim == 1:
        g, a = g.reshape((*g.shape[:-1], 1, g.shape[-1])), a.reshape((1, *a.shape))
    return g, a, b


def _matmul_left(g: Any, y: Any, a: Any, b: Any) -> Any:
    if a.ndim > 1 and b.ndim > 1:
        return matmul(g, b.mT)
    g, _, b = _as_matrices(g, a, b)
    h = matmul(g, b.mT)
    return h.reshape((*h.shape[:-2], h.shape[-1])) if a.ndim == 1 else h


def _matmul_right(g: Any, y: Any, a: Any, b: Any) -> Any:
    if a.ndim > 1 and b.ndim > 1:
        return matmul(a.mT, g)
    g, a, _ = _as_matrices(g, a, b)
    h = matmul(a.mT, g)
    return h.reshape(h.shape[:-1]) if b.ndim == 1 else h


def _matmul_each(batch: Any, a: Any, b: Any) -> Any:
    """Matrices of one place become stacks, with as many leading axes on both sides; vectors rows and columns."""
    row, column = a.ndim - batch[0] == 1, b.ndim - batch[1] == 1
    if not batch[1] and b.ndim <= 2 and a.ndim <= 3:
        # One product with the rows of all places.
        if row:
            return matmul(a, b)
        n, m, k = a.shape
        y = matmul(reshape(a, (n * m, k)), b)
        return reshape(y, (n, m, *y.shape[1:]))
    if not batch[0] and a.ndim <= 2 and column:
        return matmul(b, a if row else a.mT)
    rank = max(a.ndim - batch[0], b.ndim - batch[1], 2)
    if row:
        a = reshape(a, (*a.shape[:-1], 1, a.shape[-1]))
    if column:
        b = reshape(b, (*b.shape, 1))
    a, b = (
        reshape(x, (x.shape[0], *(1,) * (rank + 1 - x.ndim), *x.shape[1:])) if wide and x.ndim <= rank else x
        for x, wide in ((a, batch[0]), (b, batch[1]))
    )
    y = matmul(a, b)
    lost = (y.ndim - 2,) * row + (y.ndim - 1,) * column
    return reshape(y, tuple(n for i, n in enumerate(y.shape) if i not in lost)) if lost else y


@op(_matmul_shape, onnx="MatMul", complex=True, vjp=(_matmul_left, _matmul_right), batch=_matmul_each)
def matmul(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The matrix product: `y[i, j] = sum(a[i, k] * b[k, j] over k)`, of the last two axes; axes before them broadcast.

    A vector counts as a row on the left and as a column on the right, and leaves no axis behind. The dtype is the
    promoted one.

    Raises `ValueError` for sizes that do not fit and for an input without axes.

    >>> import graphnet as gn
    >>> gn.matmul([[1.0, 2.0], [3.0, 4.0]], [10.0, 1.0])
    Tensor([12., 34.])
    >>> gn.matmul(gn.zeros((5, 2, 3)), gn.zeros((3, 4))).shape
    (5, 2, 4)
    """
    return np.matmul(a, b)


@naming
def tensordot(a: ArrayLike, b: ArrayLike, axes: int | Sequence[Any] = 2) -> Tensor:
    """The sum of products over pairs of axes: the last `axes` of `a` with the first of `b`, or two lists of axes.

    The axes of `a` that are left come first, then those of `b`. With 0 it is the product of each with each. The dtype
    is the promoted one.

    Raises `ValueError` for a number of axes that the inputs do not have and for sizes that differ, `IndexError` for an
    axis that an input does not have.

    >>> import graphnet as gn
    >>> a, b = gn.ones((2, 3)), gn.ones((4, 3))
    >>> gn.tensordot(a, b, axes=([1], [1])).shape, gn.tensordot(a, b, axes=0).shape
    ((2, 4), (2, 3, 4, 3))
    """
    a, b = as_tensor(a), as_tensor(b)
    if isinstance(axes, (int, np.integer)):
        if not 0 <= axes <= min(a.ndim, b.ndim):
            raise ValueError(f"tensordot: axes={axes} of shapes {a.shape} and {b.shape}, which do not have so many")
        left, right = tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes))
    else:
        left, right = shapes.axes_indices(axes[0], a.ndim), shapes.axes_indices(axes[1], b.ndim)
    if len(left) != len(right) or any(a.shape[i] != b.shape[j] for i, j in zip(left, right, strict=True)):
        raise ValueError(f"tensordot: axes {left} of shape {a.shape} do not fit axes {right} of shape {b.shape}")
    rows = [i for i in range(a.ndim) if i not in left]
    columns = [j for j in range(b.ndim) if j not in right]
    inner = shapes.size(tuple(a.shape[i] for i in left))
    m = transpose(a, (*rows, *left)).reshape((shapes.size(tuple(a.shape[i] for i in rows)), inner))
    n = transpose(b, (*right, *columns)).reshape((inner, shapes.size(tuple(b.shape[j] for j in columns))))
    return reshape(matmul(m, n), tuple(a.shape[i] for i in rows) + tuple(b.shape[j] for j in columns))


@naming
def dot(a: ArrayLike, b: ArrayLike) -> Tensor:
    """NumPy's `dot`: the sum of products over the last axis of `a` and the last but one (or only one) of `b`.

    Of two vectors it is a number, of matrices the matrix product; where an input has no axes, it multiplies. The other
    axes of `a` come first, then those of `b`: unlike in `matmul` they do not broadcast. The dtype is the promoted one.

    Raises `ValueError` for sizes that differ.

    >>> import graphnet as gn
    >>> gn.dot([1.0, 2.0], [3.0, 4.0])
    Tensor(11.)
    >>> gn.dot(gn.zeros((2, 3, 4)), gn.zeros((5, 4, 6))).shape
    (2, 3, 5, 6)
    """
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim == 0 or b.ndim == 0:
        return multiply(a, b)
    if b.ndim == 1 or (a.ndim <= 2 and b.ndim <= 2):
        return matmul(a, b)
    return tensordot(a, b, ((-1,), (-2,)))


@naming
def inner(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The sum of products over the last axes of both: `y[i, j] = sum(a[i, k] * b[j, k] over k)` of matrices.

    The other axes of `a` come first, then those of `b`; where an input has no axes, it multiplies. The dtype is the
    promoted one.

    Raises `ValueError` for sizes that differ.

    >>> import graphnet as gn
    >>> gn.inner([[1.0, 2.0], [3.0, 4.0]], [10.0, 1.0])
    Tensor([12., 34.])
    """
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim == 0 or b.ndim == 0:
        return multiply(a, b)
    return tensordot(a, b, ((-1,), (-1,)))


@naming
def vdot(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The sum of products of all elements, both flattened: a number; of complex numbers with the conjugates of `a`.

    Shapes need not agree, only sizes. The dtype is the promoted one.

    Raises `ValueError` for different sizes.

    >>> import graphnet as gn
    >>> gn.vdot([[1.0, 2.0]], [3.0, 4.0]), gn.vdot([2j], [2j])
    (Tensor(11.), Tensor(4.+0.j, dtype=complex128))
    """
    a = as_tensor(a)
    return matmul(ravel(conjugate(a) if a.dtype.kind == "c" else a), ravel(b))


@naming
def outer(a: ArrayLike, b: ArrayLike) -> Tensor:
    """All products of an element of `a` with one of `b`, both flattened: `y[i, j] = a[i] * b[j]`.

    The shape is `(a.size, b.size)`, the dtype the promoted one.

    >>> import graphnet as gn
    >>> gn.outer([1, 2], [1, 10, 100])
    Tensor([[  1,  10, 100],
            [  2,  20, 200]])
    """
    return multiply(ravel(a).reshape((-1, 1)), ravel(b))


@naming
def trace(x: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sum of the diagonal of the matrices along two axes."""
    return reduce.sum(diagonal(x, offset, axis1, axis2), axis=-1)


@composite
def norm(x: ArrayLike, ord: float | str | None = None, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The norm of vectors along `axis`, or of matrices along two axes, as `numpy.linalg.norm`.

    Vectors: `ord` None or 2 (`sqrt(sum(x**2))`), 1, inf, -inf, 0, or any p (`sum(|x|**p)**(1/p)`). Matrices: None or
    "fro", 1, -1, inf, -inf. Without `axis` and `ord` all elements are one vector. The gradient at 0 is 0.

    Raises `ValueError` for an unknown `ord`.

    >>> import graphnet as gn
    >>> gn.grad(gn.norm)(gn.tensor([0.0, 0.0]))
    Tensor([0., 0.])
    """
    if x.dtype.kind == "c":
        x = absolute(x)
    elif x.dtype.kind != "f":
        x = astype(x, np.float64)
    axes = shapes.axes_indices(axis, x.ndim)
    if axis is None and ord is not None and x.ndim > 2:
        raise ValueError(f"norm: ord={ord!r} without axis is for vectors and matrices; received {x.ndim} dimensions")
    if ord is None or (ord == "fro" and len(axes) == 2) or (ord == 2 and len(axes) == 1):
        return reduce.norm2(x, axis=axes, keepdims=keepdims)
    if len(axes) == 1:
        size = absolute(x)
        if ord == 1:
            return reduce.sum(size, axis=axes, keepdims=keepdims)
        if ord == np.inf:
            return reduce.max(size, axis=axes, keepdims=keepdims)
        if ord == -np.inf:
            return reduce.min(size, axis=axes, keepdims=keepdims)
        if ord == 0:
            return reduce.sum(astype(not_equal(x, 0), x.dtype), axis=axes, keepdims=keepdims)
        if isinstance(ord, (int, float)):
            return power(reduce.sum(power(size, float(ord)), axis=axes, keepdims=keepdims), 1 / ord)
    if len(axes) == 2 and ord in (1, -1, np.inf, -np.inf):
        along, across = axes if ord in (1, -1) else axes[::-1]
        sums = reduce.sum(absolute(x), axis=along, keepdims=True)
        extreme = reduce.max if ord in (1, np.inf) else reduce.min
        y = extreme(sums, axis=across, keepdims=True)
        return y if keepdims else reshape(y, shapes.reduced(x.shape, axes, False))
    kinds = {1: ("a vector", "None, 1, 2, inf, -inf, 0, any p"), 2: ("a matrix", "None, 'fro', 1, -1, inf, -inf")}
    kind, orders = kinds.get(len(axes), (f"{len(axes)} axes", "None"))
    raise ValueError(f"norm: unknown ord={ord!r} for {kind}; known: {orders}")
