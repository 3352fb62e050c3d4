"""Ops that change the shape, the order of the axes, the dtype or the node, and compute nothing."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet import shapes
from graphnet.apply import as_tensor, described
from graphnet.arrays import native
from graphnet.declare import op
from graphnet.leaves import Parameter
from graphnet.naming import naming
from graphnet.node import Tensor
from graphnet.shapes import Axes, DTypeLike, ShapeLike
from graphnet.typed import ArrayLike


def axes_of(what: Any, x: Any, axis: Any, added: Any = 0) -> Any:
    """`axis` of `x` (of what has `added` axes more) as a tuple from the front; errors name `what` and the shape."""
    try:
        return shapes.axes_indices(axis, len(x.shape) + added)
    except (IndexError, TypeError, ValueError) as error:
        raise type(error)(f"{what}({described(x)}): {error}") from None


def same_shape(x: Any, **attrs: Any) -> Any:
    return x.shape


@op(
    same_shape,
    onnx="Identity",
    complex=True,
    vjp=(lambda g, y, x: g,),
    same=True,
    view="{x}",
    batch=lambda batch, x: identity(x),
)
def identity(x: ArrayLike) -> Tensor:
    """`x` itself, as a node of its own in the graph; shape and dtype are those of `x`, and so is the gradient.

    >>> import graphnet as gn
    >>> gn.identity([1.0, 2.0])
    Tensor([1., 2.])
    """
    return x


def snapshot(t: Tensor) -> Tensor:
    """The value of a parameter as it is now, whatever is assigned to it later; any other tensor is itself."""
    return identity(t) if isinstance(t, Parameter) else t


@op(same_shape, vjp=(None,), same=True, view="{x}", batch=lambda batch, x: stop_gradient(x))
def stop_gradient(x: ArrayLike) -> Tensor:
    """`x`; no gradient flows through it.

    >>> import graphnet as gn
    >>> gn.grad(lambda x: x * gn.stop_gradient(x))(3.0)
    Tensor(3.)
    """
    return x


def _kind(x: Any, dtype: Any) -> Any:
    kind = native(dtype)
    if kind.kind not in "biufc":
        raise TypeError(f"a tensor holds numbers or booleans; received dtype {kind}")
    if x.dtype.kind == "c" and kind.kind in "iuf":
        raise TypeError(f"{kind} has no imaginary part: of complex numbers take gn.real, gn.imag or gn.abs")
    return {"dtype": kind}


@op(
    same_shape,
    dtype=lambda x, dtype: dtype,
    prepare=_kind,
    onnx="Cast",
    complex=True,
    vjp=(lambda g, y, x, dtype: g,),
    same=True,
    batch=lambda batch, x, dtype: astype(x, dtype),
)
def astype(x: ArrayLike, dtype: DTypeLike) -> Tensor:
    """`x` converted to `dtype`, in the same shape. Fractions are cut off towards 0; what is not 0 is True.

    The gradient passes between floating-point dtypes; to integers or booleans, no gradient flows.

    Raises `TypeError` for a dtype that is not of numbers or booleans, and for complex numbers to a real dtype.

    >>> import graphnet as gn
    >>> gn.astype([1.7, -1.7], "int32"), gn.astype([0.0, 2.0], bool)
    (Tensor([ 1, -1], dtype=int32), Tensor([False,  True]))
    """
    return x.astype(dtype)


def _listed(shape: Any) -> Any:
    """A shape given as an array, as integers."""
    return shape.tolist() if isinstance(shape, np.ndarray) else shape


@op(
    lambda x, shape: shape,
    onnx="Reshape",
    prepare=lambda x, shape: {"shape": shapes.reshaped(x.shape, _listed(shape))},
    complex=True,
    vjp=(lambda g, y, x, shape: reshape(g, x.shape),),
    same=True,
    view="{x}.reshape({shape})",
    batch=lambda batch, x, shape: reshape(x, (x.shape[0], *shape)),
)
def reshape(x: ArrayLike, shape: ShapeLike) -> Tensor:
    """The elements of `x`, in C order, in shape `shape`; one size can be -1 and follows from the others.

    The dtype stays.

    Raises `ValueError` if the number of elements differs, or if more than one size is -1.

    >>> import graphnet as gn
    >>> gn.reshape([1, 2, 3, 4], (2, -1))
    Tensor([[1, 2],
            [3, 4]])
    """
    return np.reshape(x, shape)


@naming
def ravel(x: ArrayLike) -> Tensor:
    """The elements of `x`, in C order, along one axis: shape `(x.size,)`, the dtype of `x`.

    >>> import graphnet as gn
    >>> gn.ravel([[1, 2], [3, 4]])
    Tensor([1, 2, 3, 4])
    """
    return reshape(x, (-1,))


def _permutation(x: Any, axes: Any = None) -> Any:
    rank = len(x.shape)
    found = tuple(reversed(range(rank))) if axes is None else shapes.axes_indices(tuple(axes), rank)
    if len(found) != rank:
        raise ValueError(f"axes {axes} name {len(found)} of {rank} axes")
    return {"axes": found}


@op(
    lambda x, axes: tuple(x.shape[a] for a in axes),
    onnx="Transpose",
    prepare=_permutation,
    complex=True,
    vjp=(lambda g, y, x, axes: transpose(g, tuple(sorted(range(len(axes)), key=axes.__getitem__))),),
    view="{x}.transpose({axes})",
    batch=lambda batch, x, axes: transpose(x, (0, *(a + 1 for a in axes))),
)
def transpose(x: ArrayLike, axes: Sequence[int] | None = None) -> Tensor:
    """`x` with its axes in another order: axis `i` of the result is axis `axes[i]` of `x`.

    If `axes` is None, the order is reversed. The dtype stays. A vector stays as it is.

    Raises `ValueError` unless `axes` names each axis once, `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.transpose([[1, 2, 3]])
    Tensor([[1],
            [2],
            [3]])
    >>> gn.transpose(gn.zeros((2, 3, 4)), (1, 2, 0)).shape
    (3, 4, 2)
    """
    return np.transpose(x, axes)


@naming
def swapaxes(x: ArrayLike, axis1: int, axis2: int) -> Tensor:
    """`x` with axes `axis1` and `axis2` exchanged; the dtype stays.

    Raises `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.swapaxes(gn.zeros((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    x = as_tensor(x)
    order = list(range(x.ndim))
    (i,), (j,) = axes_of("swapaxes", x, axis1), axes_of("swapaxes", x, axis2)
    order[i], order[j] = order[j], order[i]
    return transpose(x, tuple(order))


@naming
def moveaxis(x: ArrayLike, source: ShapeLike, destination: ShapeLike) -> Tensor:
    """`x` with axes moved from `source` to `destination`, one axis or several; the others keep their order.

    `destination` counts places in the result. The dtype stays.

    Raises `ValueError` for different numbers of sources and destinations, and for an axis that is named twice;
    `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.moveaxis(gn.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    x = as_tensor(x)
    sources, targets = axes_of("moveaxis", x, source), axes_of("moveaxis", x, destination)
    if len(sources) != len(targets):
        raise ValueError(f"moveaxis: {len(sources)} source axes, {len(targets)} destinations")
    order = [a for a in range(x.ndim) if a not in sources]
    for target, a in sorted(zip(targets, sources, strict=True)):
        order.insert(target, a)
    return transpose(x, tuple(order))


@naming
def expand_dims(x: ArrayLike, axis: Axes) -> Tensor:
    """`x` with new axes of size one at `axis`, places in the result.

    >>> import graphnet as gn
    >>> gn.expand_dims(gn.tensor([1.0, 2.0]), (0, -1)).shape
    (1, 2, 1)
    """
    x = as_tensor(x)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    places = axes_of("expand_dims", x, axis, count)
    sizes = iter(x.shape)
    return reshape(x, tuple(1 if i in places else next(sizes) for i in range(x.ndim + count)))


@naming
def squeeze(x: ArrayLike, axis: Axes = None) -> Tensor:
    """`x` without its axes of size one: those in `axis`, or all if None. The dtype stays.

    Raises `ValueError` for an axis of another size, `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> x = gn.zeros((1, 2, 1))
    >>> gn.squeeze(x).shape, gn.squeeze(x, 0).shape
    ((2,), (2, 1))
    """
    x = as_tensor(x)
    axes = axes_of("squeeze", x, axis) if axis is not None else [i for i, n in enumerate(x.shape) if n == 1]
    for a in axes:
        if x.shape[a] != 1:
            raise ValueError(f"squeeze: axis {a} has size {x.shape[a]}, not 1 (shape {x.shape})")
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


def _target(x: Any, shape: Any) -> Any:
    wanted = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(map(operator.index, shape))
    if any(n < 0 for n in wanted):
        raise ValueError(f"a shape has no negative sizes; received {wanted}")
    if shapes.broadcast(x.shape, wanted) != wanted:
        raise ValueError(f"shape {x.shape} does not broadcast to {wanted}")
    return {"shape": wanted}


def _broadcast_each(batch: Any, x: Any, shape: Any) -> Any:
    size, *rest = x.shape
    return broadcast_to(reshape(x, (size, *(1,) * (len(shape) - len(rest)), *rest)), (size, *shape))


@op(
    lambda x, shape: shape,
    onnx="Expand",
    prepare=_target,
    complex=True,
    vjp=(lambda g, y, x, shape: g,),
    same=True,
    view="{broadcast_to}({x}, {shape})",
    batch=_broadcast_each,
)
def broadcast_to(x: ArrayLike, shape: ShapeLike) -> Tensor:
    """`x` repeated along new axes in front and along axes of size one, to shape `shape`; the dtype stays.

    The gradient is the sum over the repetitions.

    Raises `ValueError` where `x` does not broadcast to `shape`, and for a negative size.

    >>> import graphnet as gn
    >>> gn.broadcast_to([1.0, 2.0], (2, 2))
    Tensor([[1., 2.],
            [1., 2.]])
    """
    return np.broadcast_to(x, shape)
