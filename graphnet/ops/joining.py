"""Tensors joined along an axis, and parts of one: `concatenate`, `stack`, `split`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from graphnet import shapes
from graphnet.apply import as_tensor
from graphnet.declare import op
from graphnet.naming import naming
from graphnet.node import Tensor
from graphnet.ops.shaping import axes_of, broadcast_to, ravel
from graphnet.shapes import ShapeLike
from graphnet.typed import ArrayLike


def together(batch: Sequence[bool], inputs: Sequence[Any]) -> list[Any]:
    """`inputs`, all with the axis of the batch."""
    size = next(x.shape[0] for x, b in zip(inputs, batch, strict=True) if b)
    return [x if b else broadcast_to(x, (size, *x.shape)) for x, b in zip(inputs, batch, strict=True)]


def _joinable(*inputs: Any, axis: Any = 0) -> Any:
    rank = len(inputs[0].shape)
    for i, x in enumerate(inputs):
        if len(x.shape) != rank:
            raise ValueError(f"input 0 has {rank} dimensions, input {i} has {len(x.shape)}")
    if rank == 0:
        raise ValueError("tensors without axes cannot be concatenated; stack joins them along a new axis")
    axis = shapes.axis_index(axis, rank)
    for i, x in enumerate(inputs):
        if any(m != n for a, (m, n) in enumerate(zip(x.shape, inputs[0].shape, strict=True)) if a != axis):
            raise ValueError(f"shapes {inputs[0].shape} and {x.shape} (input {i}) differ beside axis {axis}")
    return {"axis": axis}


def _joined_shape(*inputs: Any, axis: Any) -> Any:
    first = inputs[0].shape
    return (*first[:axis], sum(x.shape[axis] for x in inputs), *first[axis + 1 :])


def _part(place: Any, g: Any, y: Any, *inputs: Any, axis: Any) -> Any:
    start = sum(x.shape[axis] for x in inputs[:place])
    return g[(slice(None),) * axis + (slice(start, start + inputs[place].shape[axis]),)]


@op(
    _joined_shape,
    prepare=_joinable,
    onnx="Concat",
    complex=True,
    vjp=_part,
    name="concatenate",
    batch=lambda batch, *inputs, axis: concatenate(together(batch, inputs), axis + 1),
)
def _concatenate(*inputs: Any, axis: Any = 0) -> Any:
    """The inputs one after the other along `axis`."""
    return np.concatenate(inputs, axis=axis)


CONCATENATE = _concatenate.op


@naming
def concatenate(arrays: Iterable[ArrayLike], axis: int | None = 0) -> Tensor:
    """`arrays` one after the other along `axis`; flattened first if `axis` is None. The dtype is the promoted one.

    The shapes are equal but for the size of `axis`, which adds up.

    Raises `ValueError` for no arrays, for arrays without axes, and for other shapes; `IndexError` for an axis that they
    do not have.

    >>> import graphnet as gn
    >>> gn.concatenate([[1.0, 2.0], [3.0]])
    Tensor([1., 2., 3.])
    """
    parts = list(arrays)
    if not parts:
        raise ValueError("concatenate: there is nothing to join")
    if axis is None:
        return _concatenate(*[ravel(x) for x in parts], axis=0)
    return _concatenate(*parts, axis=axis)


def _stackable(*inputs: Any, axis: Any = 0) -> Any:
    for i, x in enumerate(inputs):
        if x.shape != inputs[0].shape:
            raise ValueError(f"input 0 has shape {inputs[0].shape}, input {i} has {x.shape}: they must be the same")
    return {"axis": shapes.axis_index(axis, len(inputs[0].shape) + 1)}


@op(
    lambda *inputs, axis: (*inputs[0].shape[:axis], len(inputs), *inputs[0].shape[axis:]),
    prepare=_stackable,
    complex=True,
    vjp=lambda place, g, y, *inputs, axis: g[(slice(None),) * axis + (place,)],
    name="stack",
    batch=lambda batch, *inputs, axis: stack(together(batch, inputs), axis + 1),
)
def _stack(*inputs: Any, axis: Any = 0) -> Any:
    """The inputs side by side along a new axis."""
    return np.stack(inputs, axis=axis)


STACK = _stack.op


@naming
def stack(arrays: Iterable[ArrayLike], axis: int = 0) -> Tensor:
    """`arrays`, all of one shape, side by side along a new axis at `axis`, a place in the result.

    The new axis has one place per array; the dtype is the promoted one.

    Raises `ValueError` for no arrays and for different shapes, `IndexError` for a place that the result does not have.

    >>> import graphnet as gn
    >>> gn.stack([[1, 2], [3, 4]], axis=1)
    Tensor([[1, 3],
            [2, 4]])
    """
    parts = list(arrays)
    if not parts:
        raise ValueError("stack: there is nothing to join")
    return _stack(*parts, axis=axis)


@naming
def array_split(x: ArrayLike, indices_or_sections: ShapeLike, axis: int = 0) -> list[Tensor]:
    """A list of tensors: `x` cut along `axis`, into a number of nearly equal parts or before the given places.

    Of `n` elements in `k` parts, the first `n % k` parts have one more than the others. The dtype stays.

    Raises `ValueError` for fewer than one part, `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.array_split([0, 1, 2, 3, 4], 2)
    [Tensor([0, 1, 2]), Tensor([3, 4])]
    """
    x = as_tensor(x)
    (axis,) = axes_of("array_split", x, axis)
    size = x.shape[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        count = int(indices_or_sections)
        if count < 1:
            raise ValueError(f"split: the number of parts is 1 or more; received {count}")
        lengths = [size // count + (i < size % count) for i in range(count)]
        places = list(accumulate(lengths))[:-1]
    else:
        places = [int(i) for i in indices_or_sections]
    bounds = [0, *places, size]
    return [x[(slice(None),) * axis + (slice(a, b),)] for a, b in pairwise(bounds)]


@naming
def split(x: ArrayLike, indices_or_sections: ShapeLike, axis: int = 0) -> list[Tensor]:
    """A list of tensors: `x` cut along `axis`, into a number of equal parts or before the given places.

    The dtype stays. For parts that are not equal see `array_split`.

    Raises `ValueError` for a number of parts that does not divide the size, `IndexError` for an axis that `x` does not
    have.

    >>> import graphnet as gn
    >>> gn.split([0, 1, 2, 3], 2), gn.split([0, 1, 2, 3], [1])
    ([Tensor([0, 1]), Tensor([2, 3])], [Tensor([0]), Tensor([1, 2, 3])])
    """
    x = as_tensor(x)
    if isinstance(indices_or_sections, (int, np.integer)):
        size = x.shape[axes_of("split", x, axis)[0]]
        if indices_or_sections < 1 or size % indices_or_sections:
            raise ValueError(f"split: {size} does not divide into {indices_or_sections} equal parts; see array_split")
    return array_split(x, indices_or_sections, axis)
