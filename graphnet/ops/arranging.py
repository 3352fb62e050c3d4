"""Elements in other positions, repeated, or with others around them: `pad`, `flip`, `roll`, `tile`, `repeat`."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet import shapes
from graphnet.apply import as_tensor
from graphnet.composites import composite
from graphnet.declare import op
from graphnet.fitting import fitted
from graphnet.naming import naming
from graphnet.node import Tensor
from graphnet.ops.choices import where
from graphnet.ops.shaping import axes_of, broadcast_to, ravel, reshape, same_shape
from graphnet.shapes import Axes, ShapeLike
from graphnet.typed import ArrayLike


def _widths(x: Any, pad_width: Any, value: Any = 0) -> Any:
    given = np.asarray(pad_width)
    if given.dtype.kind not in "iu" or (given < 0).any():
        raise ValueError(f"pad widths are whole numbers, 0 or more; received {pad_width}")
    rank = len(x.shape)
    if given.shape not in ((), (1,), (2,), (1, 1), (1, 2), (rank, 1), (rank, 2)):
        raise ValueError(
            f"pad_width is one number, one pair, or a pair for each of {rank} axes; received one of shape {given.shape}"
        )
    pairs = np.broadcast_to(given, (rank, 2))
    return {"pad_width": tuple((int(a), int(b)) for a, b in pairs), "value": value}


@op(
    lambda x, pad_width, value: tuple(n + a + b for n, (a, b) in zip(x.shape, pad_width, strict=True)),
    dtype=lambda x, pad_width, value: x.dtype,
    prepare=_widths,
    onnx="Pad",
    complex=True,
    vjp=(
        lambda g, y, x, pad_width, value: g[
            tuple(slice(a, a + n) for n, (a, b) in zip(x.shape, pad_width, strict=True))
        ],
    ),
    name="pad",
    batch=lambda batch, x, pad_width, value: _pad(x, pad_width=((0, 0), *pad_width), value=value),
)
def _pad(x: Any, pad_width: Any, value: Any = 0) -> Any:
    """`x` with `value` around it."""
    return np.pad(x, pad_width, constant_values=value) if pad_width else x


PAD = _pad.op


@naming
def pad(x: ArrayLike, pad_width: int | Sequence[Any], mode: str = "constant", constant_values: float = 0) -> Tensor:
    """`x` with `pad_width` numbers before and after each axis: one number, one pair, or a pair per axis.

    `mode` is "constant" (`constant_values`), "edge", "reflect", "symmetric" or "wrap", as in NumPy. The dtype is that
    of `x`.

    Raises `ValueError` for an unknown mode, for widths that are negative, not whole or not one pair per axis, and for
    an empty axis in a mode that repeats elements; `TypeError` for a constant that needs a gradient, and for a fraction
    beside whole numbers; `OverflowError` for a whole number that the dtype does not hold.

    >>> import graphnet as gn
    >>> gn.pad([1.0, 2.0], (0, 2), constant_values=9.0)
    Tensor([1., 2., 9., 9.])
    >>> gn.pad([1.0, 2.0, 3.0], 2, mode="reflect")
    Tensor([3., 2., 1., 2., 3., 2., 1.])
    """
    if mode == "constant":
        if isinstance(constant_values, Tensor):
            if constant_values.is_symbolic or constant_values.requires_grad:
                raise TypeError(
                    "pad: constant_values are known numbers without a gradient; for others use gn.concatenate"
                )
            constant_values = constant_values.numpy()
        x = as_tensor(x)
        # NumPy would cut a fraction off, and wrap a number that the dtype does not hold.
        return _pad(x, pad_width, fitted("pad", constant_values, x.dtype).tolist())
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ValueError(f"pad: mode is constant, edge, reflect, symmetric or wrap; received {mode!r}")
    y = as_tensor(x)
    for axis, (a, b) in enumerate(_widths(y, pad_width)["pad_width"]):
        if a or b:
            if y.shape[axis] == 0:
                raise ValueError(f"pad: axis {axis} of shape {y.shape} is empty: mode {mode!r} has nothing to repeat")
            y = y[(slice(None),) * axis + (np.pad(np.arange(y.shape[axis]), (a, b), mode=mode),)]  # type: ignore[call-overload]
    return y


def _flipped(x: Any, axis: Any = None) -> Any:
    return {"axis": shapes.axes_indices(axis, len(x.shape))}


@op(
    same_shape,
    prepare=_flipped,
    complex=True,
    vjp=(lambda g, y, x, axis: flip(g, axis),),
    batch=lambda batch, x, axis: flip(x, tuple(a + 1 for a in axis)),
)
def flip(x: ArrayLike, axis: Axes = None) -> Tensor:
    """`x` in reverse order along `axis`: one axis, several, or all if None. Shape and dtype stay.

    Raises `IndexError` for an axis that `x` does not have, `ValueError` for one that is named twice.

    >>> import graphnet as gn
    >>> gn.flip([[1, 2], [3, 4]], axis=0)
    Tensor([[3, 4],
            [1, 2]])
    """
    return np.flip(x, axis)


def _rolled(x: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        steps = shift if isinstance(shift, (tuple, list)) else (shift,)
        return {"shift": sum(map(operator.index, steps)), "axis": None}
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    steps = shift if isinstance(shift, (tuple, list)) else (shift,)
    if len(steps) == 1:
        steps = tuple(steps) * len(axes)
    if len(axes) == 1:
        axes = tuple(axes) * len(steps)
    if len(steps) != len(axes):
        raise ValueError(f"roll: {len(steps)} shifts for {len(axes)} axes")
    return {"shift": tuple(map(operator.index, steps)), "axis": tuple(shapes.axis_index(a, len(x.shape)) for a in axes)}


def _back(shift: Any) -> Any:
    return tuple(-s for s in shift) if isinstance(shift, tuple) else -shift


def _rolled_each(batch: Any, x: Any, shift: Any, axis: Any) -> Any:
    if axis is not None:
        return roll(x, shift, tuple(a + 1 for a in axis))
    return reshape(roll(reshape(x, (x.shape[0], shapes.size(x.shape[1:]))), shift, 1), x.shape)


@op(
    same_shape,
    prepare=_rolled,
    complex=True,
    vjp=(lambda g, y, x, shift, axis: roll(g, _back(shift), axis),),
    batch=_rolled_each,
)
def roll(x: ArrayLike, shift: ShapeLike, axis: Axes = None) -> Tensor:
    """`x` with its elements moved by `shift` places along `axis` (flat if None), those at the end to the start.

    Several shifts go with several axes, one each; a single one serves them all. Shape and dtype stay.

    Raises `ValueError` for different numbers of shifts and axes, `TypeError` for a shift that is not whole,
    `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.roll([[1, 2], [3, 4]], 1), gn.roll([[1, 2], [3, 4]], 1, axis=1)
    (Tensor([[4, 1],
            [2, 3]]), Tensor([[2, 1],
            [4, 3]]))
    """
    return np.roll(x, shift, axis)


@naming
def tile(x: ArrayLike, reps: ShapeLike) -> Tensor:
    """`x` repeated as a whole, `reps` times along each axis: one count for the last axis, or one count for each.

    Counts go with the last axes; where there are more counts than axes, `x` gets new axes in front. The dtype stays.

    Raises `ValueError` for counts that are negative or not whole.

    >>> import graphnet as gn
    >>> gn.tile([1, 2], 2), gn.tile([1, 2], (2, 1))
    (Tensor([1, 2, 1, 2]), Tensor([[1, 2],
            [1, 2]]))
    """
    x = as_tensor(x)
    counts = tuple(reps) if isinstance(reps, (tuple, list, np.ndarray)) else (reps,)
    if not all(isinstance(c, (int, np.integer)) and c >= 0 for c in counts):
        raise ValueError(f"tile: counts are whole numbers, 0 or more; received {reps}")
    rank = max(len(counts), x.ndim)
    counts = (1,) * (rank - len(counts)) + tuple(int(c) for c in counts)
    sizes = (1,) * (rank - x.ndim) + x.shape
    spread = reshape(x, tuple(n for size in sizes for n in (1, size)))
    spread = broadcast_to(spread, tuple(n for c, size in zip(counts, sizes, strict=True) for n in (c, size)))
    return reshape(spread, tuple(c * size for c, size in zip(counts, sizes, strict=True)))


@naming
def repeat(x: ArrayLike, repeats: ShapeLike, axis: int | None = None) -> Tensor:
    """`x` with each element repeated along `axis` (flat if None), `repeats` times: one number, or one for each element.

    The dtype stays. The gradient of an element is the sum over its repetitions.

    Raises `ValueError` for numbers that are negative or not whole, or neither one nor one for each; `IndexError` for an
    axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.repeat([1, 2], [1, 3])
    Tensor([1, 2, 2, 2])
    """
    x = as_tensor(x)
    if axis is None:
        x, axis = ravel(x), 0
    (axis,) = axes_of("repeat", x, axis)
    counts = np.asarray(repeats)
    if counts.dtype.kind not in "iu" or counts.ndim > 1 or (counts < 0).any() or counts.size not in (1, x.shape[axis]):
        raise ValueError(f"repeat: one whole number, or one for each of {x.shape[axis]}; received {repeats}")
    return x[(slice(None),) * axis + (np.repeat(np.arange(x.shape[axis]), counts.ravel()),)]


def _triangle(x: Any, k: Any) -> Any:
    if x.ndim == 0:
        raise ValueError("a triangle needs at least one axis; received a tensor of shape ()")
    return np.tri(*x.shape[-2:], k=operator.index(k), dtype=bool)  # type: ignore[call-overload]


@composite
def tril(x: ArrayLike, k: int = 0) -> Tensor:
    """`x` with zeros above diagonal `k` of its last two axes: the lower triangle.

    A vector counts as rows that are all equal. The shape is that of `x` (of a vector of `n`: `(n, n)`), and so is the
    dtype.

    Raises `ValueError` for a tensor without axes.

    >>> import graphnet as gn
    >>> gn.tril([[1, 2], [3, 4]]), gn.tril([[1, 2], [3, 4]], k=-1)
    (Tensor([[1, 0],
            [3, 4]]), Tensor([[0, 0],
            [3, 0]]))
    """
    return where(_triangle(x, k), x, False)


@composite
def triu(x: ArrayLike, k: int = 0) -> Tensor:
    """`x` with zeros below diagonal `k` of its last two axes: the upper triangle.

    A vector counts as rows that are all equal. The shape is that of `x` (of a vector of `n`: `(n, n)`), and so is the
    dtype.

    Raises `ValueError` for a tensor without axes.

    >>> import graphnet as gn
    >>> gn.triu([[1, 2], [3, 4]]), gn.triu([[1, 2], [3, 4]], k=1)
    (Tensor([[1, 2],
            [0, 4]]), Tensor([[0, 2],
            [0, 0]]))
    """
    return where(_triangle(x, k - 1), False, x)
